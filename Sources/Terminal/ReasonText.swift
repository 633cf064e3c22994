/// End reasons by their names in records and recordings.
package enum ReasonText {
    /// Whether a reason is anything but an orderly end. Nil, of a connection whose end is unknown, is none.
    package static func isFailure(_ reason: String?) -> Bool {
        guard let reason else { return false }
        return reason != "client_closed" && reason != "upstream_closed"
    }
}
