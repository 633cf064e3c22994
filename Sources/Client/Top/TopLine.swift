import Terminal

/// A line on the screen, in pieces of one style each.
struct TopLine: Hashable, Sendable {
    /// The style of a piece. Only the last three are colours.
    enum Style: Hashable, Sendable {
        case plain, bold, dim, inverse
        case good, notable, trouble
    }

    var pieces: [(text: String, style: Style)] = []

    init() {}

    init(_ text: String, _ style: Style = .plain) {
        pieces = [(text, style)]
    }

    /// The text alone.
    var text: String { pieces.map(\.text).joined() }

    static func == (left: TopLine, right: TopLine) -> Bool { left.text == right.text && left.styles == right.styles }

    func hash(into hasher: inout Hasher) {
        hasher.combine(text)
    }

    private var styles: [Style] { pieces.map(\.style) }

    /// The line in at most this many columns, with its escape sequences.
    func rendered(columns: Int, _ terminal: TerminalTraits) -> String {
        var room = columns
        var result = ""
        for (text, style) in pieces where room > 0 {
            let shown = text.cut(to: room, showsUnicode: terminal.showsUnicode)
            room -= shown.columns
            let code =
                switch style {
                case .plain: ""
                case .bold: "1"
                case .dim: "2"
                case .inverse: "7"
                case .good: terminal.showsColor ? "32" : ""
                // Yellow cannot be read on a light background.
                case .notable: terminal.showsColor ? "35;1" : "1"
                case .trouble: terminal.showsColor ? "31;1" : "1"
                }
            result += code.isEmpty ? shown : "\u{1B}[\(code)m\(shown)\u{1B}[0m"
        }
        return result
    }
}
