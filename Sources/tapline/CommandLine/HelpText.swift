import Terminal

/// A help text of argument-parser in our form. Pure.
enum HelpText {
    /// Of a help text: the line with the usage fits the columns, which argument-parser does not see to, and the title
    /// of a group has no further word.
    static func fitted(_ text: String, columns: Int) -> String {
        let lines = text.replacing("TAPLINE SUBCOMMANDS:", with: "TAPLINE:")
            .split(separator: "\n", omittingEmptySubsequences: false)
        return lines.flatMap { line in
            line.hasPrefix(usage) && line.count > columns ? wrapped(line, to: columns) : [String(line)]
        }.joined(separator: "\n")
    }

    private static let usage = "USAGE: "

    /// The usage in lines; an option stays with its value.
    private static func wrapped(_ line: Substring, to columns: Int) -> [String] {
        let words = line.dropFirst(usage.count).split(separator: " ")
        var pieces: [String] = []
        for word in words {
            if let last = pieces.last, last.hasPrefix("["), !last.hasSuffix("]") {
                pieces[pieces.count - 1] = last + " " + word
            } else {
                pieces.append(String(word))
            }
        }
        // The continuation is below the first word after `tapline COMMAND`.
        let head = pieces.prefix(2).joined(separator: " ")
        let indent = String(repeating: " ", count: usage.count + head.count + 1)
        var lines = [usage + head]
        for piece in pieces.dropFirst(2) {
            if lines[lines.count - 1].count + 1 + piece.count > columns, lines[lines.count - 1].count > indent.count {
                lines.append(indent + piece)
            } else {
                lines[lines.count - 1] += " " + piece
            }
        }
        return lines
    }
}
