/// How a recording is shown.
package enum ShowFormat: String, CaseIterable, Sendable {
    /// A line for each conversation.
    case summary
    /// As `--print text` shows it.
    case text
    /// As `--print hex` shows it.
    case hex
    /// The bytes alone.
    case raw
    /// One object per line.
    case json
}
