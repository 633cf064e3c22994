internal import Relay
internal import Text

/// A connection's place in a list: the largest number first, then by text. A value.
struct ConnectionOrder: Comparable, Sendable {
    let number: Double
    let text: String

    static func < (first: ConnectionOrder, second: ConnectionOrder) -> Bool {
        (second.number, first.text) < (first.number, second.text)
    }
}

/// An open connection of this process or of a predecessor.
enum ListedConnection: Sendable {
    case own(LiveConnection)
    /// The API's object, of another process.
    case elsewhere(JSONValue)

    /// The connections of a query, in its order. `own` are in the order of their ids.
    static func select(
        _ own: [LiveConnection], _ rates: RateMeter<UInt64>, elsewhere: [JSONValue], _ query: Query
    ) -> [ListedConnection] {
        let chosen = ConnectionView.select(own, rates, query).map { ListedConnection.own($0) }
        let others = elsewhere.filter { query.relay == nil || $0["relay"].text == query.relay }
        guard !others.isEmpty else { return chosen }
        let key = query.sort.key
        // Equal ones are in the order of their ids, and the sort is stable.
        var all = sorted(sorted(chosen + others.map { .elsewhere($0) }, rates, by: .id), rates, by: key)
        if query.sort.isReversed { all.reverse() }
        return all
    }

    private static func sorted(
        _ all: [ListedConnection], _ rates: RateMeter<UInt64>, by key: Query.Sort.Key
    ) -> [ListedConnection] {
        let keyed = all.map { (listed: $0, order: $0.order(rates, by: key)) }
        return keyed.sorted { $0.order < $1.order }.map(\.listed)
    }

    private func order(_ rates: RateMeter<UInt64>, by key: Query.Sort.Key) -> ConnectionOrder {
        switch self {
        case .own(let live): ConnectionView.order(of: live, rates, by: key)
        case .elsewhere(let connection): Self.order(of: connection, by: key)
        }
    }

    private static func order(of connection: JSONValue, by key: Query.Sort.Key) -> ConnectionOrder {
        func number(_ value: JSONValue) -> Double { value.double ?? 0 }
        func sum(_ name: String) -> Double { number(connection["\(name)_up"]) + number(connection["\(name)_down"]) }
        return switch key {
        case .id: ConnectionOrder(number: -number(connection["id"]), text: "")
        case .age: ConnectionOrder(number: number(connection["age_ms"]), text: "")
        case .bytes: ConnectionOrder(number: sum("bytes"), text: "")
        case .rate: ConnectionOrder(number: sum("rate"), text: "")
        case .bytesUp, .bytesDown, .rateUp, .rateDown:
            ConnectionOrder(number: number(connection[key.rawValue]), text: "")
        case .waits: ConnectionOrder(number: number(connection["waits"]["ms"]), text: "")
        case .client, .relay, .upstream: ConnectionOrder(number: 0, text: connection[key.rawValue].text ?? "")
        }
    }
}
