/// How traffic is shown.
package enum TrafficView: String, CaseIterable, Sendable {
    /// As text; no control character but newline and tab gets through.
    case text
    /// As offset in the flow, sixteen bytes, and their ASCII characters.
    case hex
}
