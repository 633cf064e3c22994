package import Text

/// A list of a running Tapline's connections.
package struct ConnectionList {
    /// The tapline's client.
    var client: AdminClient
    /// Only connections of this relay.
    var relay: String?
    /// The order; nil: the API's default.
    var sort: ConnectionSort?
    /// Only connections with this text in their names, addresses, state or reason.
    var filter: String?
    /// The most connections.
    var limit: Int
    /// Connections that ended recently instead of open ones.
    var closed: Bool
    /// The API's objects, one per line, instead of a table.
    var isForPrograms: Bool

    /// A list; `lines` and `fetch` send a new request each.
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

    /// The lines to show; with `rows`, at most what fits the terminal.
    package func lines(_ output: ClientOutput, at rows: Int?) throws -> [String] {
        let (found, total, warnings) = try fetch()
        if isForPrograms { return found.map(\.line) }
        var lines = ConnectionTable(found, areClosed: closed).lines(output)
        if found.isEmpty { lines = [nothing(total)] }
        lines = warnings.map { output.warning("warning: \($0)") } + lines
        if let rows, lines.count > rows - 1 {
            lines = Self.fit(lines, of: found.count, after: warnings.count, into: rows, output)
        } else if UInt64(found.count) < total, filter == nil {
            lines.append(output.dim("and \(total - UInt64(found.count)) more; use --limit to see them"))
        }
        return lines
    }

    /// The first lines of a table with one heading and one line per connection, after this many warnings, for a
    /// terminal with this many rows, the last of which has the cursor. A terminal may have any size.
    static func fit(
        _ lines: [String], of connections: Int, after warnings: Int = 0, into rows: Int, _ output: ClientOutput
    ) -> [String] {
        let room = max(1, rows - 1)
        let shown = lines.prefix(room - 1)
        return shown + [output.dim("and \(connections - max(0, shown.count - 1 - warnings)) more")]
    }

    private func nothing(_ total: UInt64) -> String {
        if filter != nil, total > 0 { return "none of \(total) match" }
        return closed ? "no connection has ended yet" : "no connection is open"
    }

    /// The connections, their number without the limit, and a sentence for each older process whose connections are
    /// missing.
    package func fetch() throws -> (rows: [JSONValue], total: UInt64, warnings: [String]) {
        let key = closed ? "closed" : "connections"
        // The filter applies to all connections, not to the first few.
        var path = "/v1/\(key)?limit=\(filter == nil ? limit : 10_000)"
        if let relay { path += "&relay=\(relay.percentEncoded)" }
        if let sort { path += "&sort=\(sort.text)" }
        let answer = try client.json(.get, path)
        let all = answer[key].elements
        let matching = filter.map { text in all.filter { ConnectionTable.matches($0, text) } } ?? all
        return (
            Array(matching.prefix(limit)), answer["total"].count ?? UInt64(all.count),
            PredecessorText.unanswered(answer["unanswered"].elements)
        )
    }
}
