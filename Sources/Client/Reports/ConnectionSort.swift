/// The order of connections.
package struct ConnectionSort: Hashable, Sendable {
    /// The API's sort keys.
    package static let keys = [
        "id", "age", "bytes", "bytes_up", "bytes_down", "rate", "rate_up", "rate_down", "waits", "client", "relay",
        "upstream",
    ]

    /// The key; a `-` before it reverses the order.
    let text: String

    package init?(_ argument: String) {
        let key = argument.hasPrefix("-") ? String(argument.dropFirst()) : argument
        guard Self.keys.contains(key) else { return nil }
        text = argument
    }
}
