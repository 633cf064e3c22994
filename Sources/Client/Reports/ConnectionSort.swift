/// By what connections are sorted.
package struct ConnectionSort: Hashable, Sendable {
    /// The keys that the API knows.
    package static let keys = [
        "id", "age", "bytes", "bytes_up", "bytes_down", "rate", "rate_up", "rate_down", "waits", "client", "relay",
        "upstream",
    ]

    /// The key, with a `-` before it where the order is turned round.
    let text: String

    package init?(_ argument: String) {
        let key = argument.hasPrefix("-") ? String(argument.dropFirst()) : argument
        guard Self.keys.contains(key) else { return nil }
        text = argument
    }
}
