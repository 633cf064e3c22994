internal import Relay
internal import Text

/// A connection that ended in this process or in a predecessor.
enum EndedConnection: Sendable {
    case own(ConnectionRecord)
    /// The API's object, of another process.
    case elsewhere(JSONValue)

    /// The connections of a query, newest first. Both lists are in this order.
    static func select(
        _ own: [ConnectionRecord], elsewhere: [JSONValue], _ query: Query
    ) -> [EndedConnection] {
        var all = merge(own, elsewhere)
        if let since = query.since, let position = all.firstIndex(where: { $0.id == since }) {
            all = Array(all[..<position])
        }
        if let relay = query.relay { all.removeAll { $0.relay != relay } }
        if !query.reasons.isEmpty {
            all.removeAll { ended in !query.reasons.contains { $0.rawValue == ended.reason } }
        }
        return all
    }

    private static func merge(_ own: [ConnectionRecord], _ elsewhere: [JSONValue]) -> [EndedConnection] {
        guard !elsewhere.isEmpty else { return own.map { .own($0) } }
        var all: [EndedConnection] = []
        var others = elsewhere[...]
        for record in own {
            let time = record.end.map { text(of: Timestamp(nanoseconds: $0.time)) } ?? ""
            // Times have the same length, so the texts are in the order of the times.
            while let other = others.first, (other["time"].text ?? "") > time {
                all.append(.elsewhere(other))
                others.removeFirst()
            }
            all.append(.own(record))
        }
        return all + others.map { .elsewhere($0) }
    }

    private static func text(of time: Timestamp) -> String {
        var bytes: [UInt8] = []
        time.append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private var id: UInt64? {
        switch self {
        case .own(let record): record.id
        case .elsewhere(let connection): connection["id"].count
        }
    }

    private var relay: String? {
        switch self {
        case .own(let record): record.relay
        case .elsewhere(let connection): connection["relay"].text
        }
    }

    private var reason: String? {
        switch self {
        case .own(let record): record.end?.reason.rawValue
        case .elsewhere(let connection): connection["reason"].text
        }
    }
}
