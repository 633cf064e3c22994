/// How live traffic is shown.
package enum TailFormat: String, CaseIterable, Sendable {
    /// As `forward --print text` shows it.
    case text
    /// As `forward --print hex` shows it.
    case hex
    /// As `show --format json` shows it.
    case json
    /// Unchanged.
    case pcapng
}
