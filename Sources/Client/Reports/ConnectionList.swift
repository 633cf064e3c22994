import Terminal
import Text

/// The connections of a running tapline that somebody asks for.
package struct ConnectionList {
    /// Which tapline.
    var client: AdminClient
    /// Only those of this relay.
    var relay: String?
    /// Their order; nil: the API's own.
    var sort: ConnectionSort?
    /// Only those that have this text in what they are found by.
    var filter: String?
    /// How many at most.
    var limit: Int
    /// Those that ended lately, in place of the open ones.
    var closed: Bool
    /// The API's own objects, one a line, in place of a table.
    var isForPrograms: Bool

    /// A list that is requested with every call.
    package init(
        client: AdminClient, relay: String?, sort: ConnectionSort?, filter: String?, limit: Int, closed: Bool,
        isForPrograms: Bool
    ) {
        self.client = client
        self.relay = relay
        self.sort = sort
        self.filter = filter
        self.limit = limit
        self.closed = closed
        self.isForPrograms = isForPrograms
    }

    /// What to show, as lines; on a terminal with `rows` no more than it has.
    package func lines(_ output: ClientOutput, at rows: Int?) throws -> [String] {
        let (found, total) = try fetch()
        if isForPrograms { return found.map(\.line) }
        var lines = ConnectionTable(found, areClosed: closed).lines(output)
        if found.isEmpty { lines = [nothing(total)] }
        if let rows, lines.count > rows - 1 {
            lines = Self.fit(lines, of: found.count, into: rows)
        } else if UInt64(found.count) < total, filter == nil {
            lines.append("and \(total - UInt64(found.count)) more; --limit shows them")
        }
        return lines
    }

    /// The first lines of a table that has a title line and one for each connection, on a terminal with this many rows,
    /// of which the last one is the cursor's. A terminal may have any size.
    static func fit(_ lines: [String], of connections: Int, into rows: Int) -> [String] {
        let room = max(1, rows - 1)
        let shown = lines.prefix(room - 1)
        return shown + ["and \(connections - max(0, shown.count - 1)) more"]
    }

    private func nothing(_ total: UInt64) -> String {
        if filter != nil, total > 0 { return "none of \(total) matches" }
        return closed ? "no connection has ended yet" : "no connection is open"
    }

    package func fetch() throws -> (rows: [JSONValue], total: UInt64) {
        let key = closed ? "closed" : "connections"
        // What a text is sought in is all there is, not the first few.
        var path = "/v1/\(key)?limit=\(filter == nil ? limit : 10_000)"
        if let relay { path += "&relay=\(relay.percentEncoded)" }
        if let sort { path += "&sort=\(sort.text)" }
        let answer = try client.json(.get, path)
        let all = answer[key].elements
        let matching = filter.map { text in all.filter { ConnectionTable.matches($0, text) } } ?? all
        return (Array(matching.prefix(limit)), answer["total"].count ?? UInt64(all.count))
    }
}
