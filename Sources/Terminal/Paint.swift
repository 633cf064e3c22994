/// A style of text on a terminal, by its parameters of the control function SGR (ECMA-48).
package enum Paint: String, Sendable {
    case bold = "1"
    case dim = "2"
    /// Magenta: yellow cannot be read on a light background.
    case warning = "35"
    case failure = "31"
    /// A failure that a person must not miss.
    case boldFailure = "31;1"
}

extension TerminalTraits {
    /// The text in a style where the output shows colours; else the text.
    package func painted(_ text: String, _ paint: Paint) -> String {
        showsColor && !text.isEmpty ? "\u{1B}[\(paint.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// The lines of a text with what is between back-ticks, such as commands, in bold.
    package func paintingCode(_ lines: [String]) -> [String] {
        var isCode = false
        return lines.map { line in
            line.split(separator: "`", omittingEmptySubsequences: false).enumerated().map { index, part in
                // A piece may begin on one line and end on the next one.
                if index > 0 { isCode.toggle() }
                return (index > 0 ? "`" : "") + (isCode ? painted(String(part), .bold) : String(part))
            }.joined()
        }
    }
}
