import Terminal

/// A command line that is wrong: what is wrong, and what was probably meant.
struct UsageError: Error, Hashable {
    /// One sentence, without a full stop.
    let message: String
    /// Command lines that were probably meant, each without `tapline`; empty if none is likely.
    let proposals: [[String]]
    /// The command whose help to read; nil: the list of commands.
    let command: String?

    init(_ message: String, proposals: [[String]] = [], command: String? = nil) {
        self.message = message
        self.proposals = proposals
        self.command = command
    }

    /// The lines for standard error. `columns`: the width of the terminal, whose lines break between words; nil: lines
    /// do not break.
    func text(columns: Int?) -> String {
        var lines = "tapline: \(message)".split(separator: "\n").map(String.init)
        if let columns { lines = lines.flatMap { $0.wrapped(to: columns) } }
        for (index, proposal) in proposals.enumerated() {
            lines.append("\(index == 0 ? "Did you mean:" : "         or:") \(CommandWords.shellText(proposal))")
        }
        lines.append("See 'tapline \(command.map { $0 + " " } ?? "")--help'.")
        return lines.joined(separator: "\n")
    }
}
