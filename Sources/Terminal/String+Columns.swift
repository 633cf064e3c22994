extension String {
    /// The text in so many columns at most, with `…` (or `~` where that cannot be shown) for what is cut.
    package func cut(to columns: Int, showsUnicode: Bool) -> String {
        guard count > columns else { return self }
        guard columns > 1 else { return String(prefix(max(0, columns))) }
        return prefix(columns - 1) + (showsUnicode ? "…" : "~")
    }

    /// The same with the start cut off: of an address the port is what tells.
    package func cutAtStart(to columns: Int, showsUnicode: Bool) -> String {
        guard count > columns else { return self }
        guard columns > 1 else { return String(suffix(max(0, columns))) }
        return (showsUnicode ? "…" : "~") + suffix(columns - 1)
    }

    /// The text in so many columns at least, with spaces on the right, or on the left.
    package func padded(to columns: Int, onLeft: Bool = false) -> String {
        let fill = String(repeating: " ", count: max(0, columns - count))
        return onLeft ? fill + self : self + fill
    }

    /// The text broken between words into lines of so many columns; longer words stand alone.
    package func wrapped(to columns: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > columns {
                lines.append(line)
                line = ""
            }
            line += line.isEmpty ? String(word) : " " + word
        }
        if !line.isEmpty || lines.isEmpty { lines.append(line) }
        return lines
    }
}
