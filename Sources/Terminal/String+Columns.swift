extension String {
    /// The text in at most this many columns; `…` (or `~` in ASCII) marks the cut.
    package func cut(to columns: Int, showsUnicode: Bool) -> String {
        guard count > columns else { return self }
        guard columns > 1 else { return String(prefix(max(0, columns))) }
        return prefix(columns - 1) + (showsUnicode ? "…" : "~")
    }

    /// The same, cut at the start: the end of an address has the port.
    package func cutAtStart(to columns: Int, showsUnicode: Bool) -> String {
        guard count > columns else { return self }
        guard columns > 1 else { return String(suffix(max(0, columns))) }
        return (showsUnicode ? "…" : "~") + suffix(columns - 1)
    }

    /// The same, cut in the middle: both ends of a path identify it.
    package func cutInMiddle(to columns: Int, showsUnicode: Bool) -> String {
        guard count > columns else { return self }
        guard columns > 2 else { return cut(to: columns, showsUnicode: showsUnicode) }
        let head = (columns - 1) / 3
        return prefix(head) + (showsUnicode ? "…" : "~") + suffix(columns - 1 - head)
    }

    /// The text in at least this many columns, padded with spaces on the right or the left.
    package func padded(to columns: Int, onLeft: Bool = false) -> String {
        let fill = String(repeating: " ", count: max(0, columns - count))
        return onLeft ? fill + self : self + fill
    }

    /// The text broken between words into lines of this many columns; a longer word has its own line. Lines after the
    /// first one begin with `indent` spaces.
    package func wrapped(to columns: Int, indent: Int = 0) -> [String] {
        let margin = String(repeating: " ", count: indent)
        var lines: [String] = []
        var line = ""
        var isEmpty = true
        for word in split(separator: " ") {
            if !isEmpty, line.count + 1 + word.count > columns {
                lines.append(line)
                line = margin
                isEmpty = true
            }
            line += isEmpty ? String(word) : " " + word
            isEmpty = false
        }
        if !isEmpty || lines.isEmpty { lines.append(line) }
        return lines
    }

    /// The text broken into lines as the value of a name: the name is on the first line, and the value begins in the
    /// column `indent` of each.
    package func wrapped(to columns: Int, after name: String, indent: Int) -> [String] {
        let pieces = wrapped(to: columns - indent)
        return zip([name] + pieces.dropFirst().map { _ in "" }, pieces).map { $0.padded(to: indent) + $1 }
    }
}
