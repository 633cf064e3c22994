import Terminal

/// Small graphs of block characters, or of ASCII. Pure.
enum Bars {
    private static let eighths: [Character] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"]
    private static let heights: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    private static let marks: [Character] = ["_", ".", "-", "=", "*", "#", "#", "#"]

    /// A bar in proportion to the largest value; a value above zero is never invisible.
    static func bar(_ value: UInt64, of most: UInt64, columns: Int, _ terminal: TerminalTraits) -> String {
        guard columns > 0, value > 0, most > 0 else { return "" }
        let part = min(1, Double(value) / Double(most))
        let steps = max(1, Int((part * Double(columns * 8)).rounded()))
        guard terminal.showsUnicode else { return String(repeating: "#", count: max(1, steps / 8)) }
        return String(repeating: "█", count: steps / 8) + (steps % 8 > 0 ? String(eighths[steps % 8 - 1]) : "")
    }

    /// The latest values as bars of different height, the last one on the right; always `columns` wide.
    static func history(_ values: [UInt64], columns: Int, _ terminal: TerminalTraits) -> String {
        guard columns > 0 else { return "" }
        let shown = values.suffix(columns)
        let most = max(1, shown.max() ?? 1)
        let text = shown.map { value -> Character in
            guard value > 0 else { return " " }
            let step = min(7, Int(Double(value) / Double(most) * 7.999))
            return terminal.showsUnicode ? heights[step] : marks[step]
        }
        return String(text).padded(to: columns, onLeft: true)
    }
}
