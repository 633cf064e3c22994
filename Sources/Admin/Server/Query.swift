internal import Relay
internal import Text

/// A request's query. Unknown and duplicate keys and invalid values are errors, as in the configuration.
struct Query: Hashable, Sendable {
    /// The default of `limit` for lists, and its maximum.
    static let usualLimit = 1000
    static let mostEntries = 10_000

    /// Only this relay.
    var relay: String?
    /// The order of connections.
    var sort = Sort(key: .id, isReversed: false)
    /// The largest number of entries.
    var limit = Query.usualLimit
    /// Only these reasons; empty: all.
    var reasons: Set<EndReason> = []
    /// Only connections that ended after this one.
    var since: UInt64?
    /// Only this connection.
    var connection: UInt64?
    /// A live recording includes the encrypted bytes of TLS, and their keys.
    var includesEncrypted = false

    /// An order of connections.
    struct Sort: Hashable, Sendable {
        /// The sort key.
        enum Key: String, CaseIterable, Hashable, Sendable {
            case id, age, bytes
            case bytesUp = "bytes_up"
            case bytesDown = "bytes_down"
            case rate
            case rateUp = "rate_up"
            case rateDown = "rate_down"
            case waits, client, relay, upstream
        }
        var key: Key
        var isReversed: Bool
    }

    /// No query.
    init() {}

    /// Parses the query of a route.
    init(parsing text: String?, of route: Route) throws(AdminError) {
        var seen: Set<String> = []
        for pair in (text ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let key = PercentText.decode(parts[0], plusIsSpace: true),
                let value = PercentText.decode(parts.count > 1 ? parts[1] : "", plusIsSpace: true)
            else { throw .badRequest("invalid query: malformed percent-encoding") }
            guard route.parameters.contains(key) else {
                let known =
                    route.parameters.isEmpty
                    ? "this path takes none" : "valid parameters: " + route.parameters.joined(separator: ", ")
                throw .badRequest("unknown parameter \(AdminError.quoted(key)); \(known)")
            }
            guard seen.insert(key).inserted else { throw .badRequest("duplicate parameter `\(key)`") }
            try set(key, value)
        }
    }

    private mutating func set(_ key: String, _ value: String) throws(AdminError) {
        switch key {
        case "relay":
            relay = value
        case "sort":
            let isReversed = value.hasPrefix("-")
            guard let key = Sort.Key(rawValue: isReversed ? String(value.dropFirst()) : value) else {
                let known = Sort.Key.allCases.map(\.rawValue).joined(separator: ", ")
                throw .badRequest(
                    "invalid `sort` \(AdminError.quoted(value)); use \(known), with a - before it to reverse")
            }
            sort = Sort(key: key, isReversed: isReversed)
        case "limit":
            guard let number = Int(value), (0...Self.mostEntries).contains(number) else {
                throw .badRequest(
                    "invalid `limit` \(AdminError.quoted(value)); use a whole number from 0 to \(Self.mostEntries)")
            }
            limit = number
        case "reason":
            for word in value.split(separator: ",") {
                guard let reason = EndReason(rawValue: String(word)) else {
                    throw .badRequest("\(AdminError.quoted(String(word))) is not an end reason")
                }
                reasons.insert(reason)
            }
        case "since", "connection":
            guard let id = UInt64(value) else {
                throw .badRequest("invalid `\(key)` \(AdminError.quoted(value)); use a connection id")
            }
            if key == "since" { since = id } else { connection = id }
        case "encrypted":
            guard value == "true" || value == "false" else {
                throw .badRequest("`encrypted` is \(AdminError.quoted(value)); it is true or false")
            }
            includesEncrypted = value == "true"
        default:
            preconditionFailure("Query: \(key) is among a route's parameters and not read")
        }
    }
}
