import ArgumentParser
import Sockets

/// `tapline connections`: what is open, or what has ended lately.
struct Connections: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the connections of a running tapline.",
        discussion: """
            Open connections with their bytes so far, or with --closed those that ended lately, with who ended them and \
            why. `tapline why ID` tells the whole story of one.

              tapline connections --sort rate --limit 10
              tapline connections --filter 10.0.0. --watch
              tapline connections --closed --filter reset
            """)

    @Option(help: ArgumentHelp("Only connections of this relay.", valueName: "name"))
    var relay: String?

    @Option(
        help: ArgumentHelp(
            "By what: id, age, bytes, bytes_up, bytes_down, rate, rate_up, rate_down, waits, client, relay or upstream; "
                + "-KEY turns the order round. Ended ones come latest first.", valueName: "key"))
    var sort: ConnectionSort?

    @Option(
        help: ArgumentHelp(
            "Only those that have this text in their relay, addresses, state or reason.", valueName: "text"))
    var filter: String?

    @Option(help: ArgumentHelp("The most connections to list.", valueName: "number"))
    var limit = 1000

    @Flag(help: "Connections that ended lately, with their reasons.")
    var closed = false

    @Flag(help: "Once a second, until Ctrl-C; in place on a terminal.")
    var watch = false

    @OptionGroup var options: AdminOptions

    func validate() throws {
        guard limit > 0, limit <= 10_000 else { throw ValidationError("--limit is from 1 to 10000.") }
        if closed, sort != nil {
            throw ValidationError("--sort is for open connections: ended ones come latest first.")
        }
    }

    func run() throws {
        let client = try options.client()
        if watch {
            let view = RepeatedView(every: 1000, isForPrograms: options.json) { rows in
                try lines(client, ClientOutput(), at: rows)
            }
            try view.run()
        } else if options.json {
            try ClientOutput().write(json: fetch(client).rows)
        } else {
            let output = ClientOutput()
            try output.write(lines: lines(client, output, at: nil))
        }
    }

    /// What to show, as lines; on a terminal with `rows` no more than it has.
    private func lines(_ client: AdminClient, _ output: ClientOutput, at rows: Int?) throws -> [String] {
        let (found, total) = try fetch(client)
        if options.json { return found.map(\.line) }
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

    private func fetch(_ client: AdminClient) throws -> (rows: [JSONValue], total: UInt64) {
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

/// By what connections are sorted.
struct ConnectionSort: Hashable, Sendable, ExpressibleByArgument {
    /// The keys that the API knows.
    static let keys = [
        "id", "age", "bytes", "bytes_up", "bytes_down", "rate", "rate_up", "rate_down", "waits", "client", "relay",
        "upstream",
    ]

    /// The key, with a `-` before it where the order is turned round.
    let text: String

    init?(argument: String) {
        let key = argument.hasPrefix("-") ? String(argument.dropFirst()) : argument
        guard Self.keys.contains(key) else { return nil }
        text = argument
    }

    static var allValueStrings: [String] { keys }
}
