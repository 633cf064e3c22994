/// How traffic is shown.
package enum TrafficView: String, CaseIterable, Sendable {
    /// Text; control characters except newline and tab are escaped.
    case text
    /// The offset in the flow, sixteen bytes, and their ASCII characters.
    case hex
}
