extension String {
    /// The width on a terminal.
    package var columns: Int {
        // Most text is ASCII, which needs no search for grapheme clusters.
        utf8.allSatisfy { $0 < 0x80 } ? utf8.count : reduce(0) { $0 + $1.columns }
    }

    /// The beginning in at most this many columns.
    package func prefix(columns most: Int) -> Substring {
        var room = most
        return prefix { character in
            room -= character.columns
            return room >= 0
        }
    }

    /// The end in at most this many columns.
    private func suffix(columns most: Int) -> Substring {
        var room = most
        let start = indices.reversed().prefix { index in
            room -= self[index].columns
            return room >= 0
        }.last
        return start.map { self[$0...] } ?? ""
    }

    /// The text in at most this many columns; `…` (or `~` in ASCII) marks the cut.
    package func cut(to width: Int, showsUnicode: Bool) -> String {
        guard columns > width else { return self }
        guard width > 1 else { return String(prefix(columns: width)) }
        return prefix(columns: width - 1) + (showsUnicode ? "…" : "~")
    }

    /// The same, cut at the start: the end of an address has the port.
    package func cutAtStart(to width: Int, showsUnicode: Bool) -> String {
        guard columns > width else { return self }
        guard width > 1 else { return String(suffix(columns: width)) }
        return (showsUnicode ? "…" : "~") + suffix(columns: width - 1)
    }

    /// The same, cut in the middle: both ends of a path identify it.
    package func cutInMiddle(to width: Int, showsUnicode: Bool) -> String {
        guard columns > width else { return self }
        guard width > 2 else { return cut(to: width, showsUnicode: showsUnicode) }
        let head = (width - 1) / 3
        return prefix(columns: head) + (showsUnicode ? "…" : "~") + suffix(columns: width - 1 - head)
    }

    /// The text in at least this many columns, padded with spaces on the right or the left.
    package func padded(to width: Int, onLeft: Bool = false) -> String {
        let fill = String(repeating: " ", count: max(0, width - columns))
        return onLeft ? fill + self : self + fill
    }

    /// The text broken between words into lines of this many columns; a longer word has its own line. Lines after the
    /// first one begin with `indent` spaces.
    package func wrapped(to width: Int, indent: Int = 0) -> [String] {
        let margin = String(repeating: " ", count: indent)
        var lines: [String] = []
        var line = ""
        var used = 0
        var isEmpty = true
        for word in split(separator: " ").map(String.init) {
            let columns = word.columns
            if !isEmpty, used + 1 + columns > width {
                lines.append(line)
                (line, used) = (margin, indent)
                isEmpty = true
            }
            line += isEmpty ? word : " " + word
            used += isEmpty ? columns : 1 + columns
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
