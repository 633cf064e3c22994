import ArgumentParser
import Client
import Terminal

/// `tapline connections`: open connections, or those that ended recently.
struct Connections: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the connections of a running Tapline.",
        discussion: """
            Lists open connections with their bytes so far, or with --closed recently closed ones, with who closed them and \
            why. `tapline why ID` explains one of them.

              tapline connections --sort rate --limit 10
              tapline connections --filter 10.0.0. --watch
              tapline connections --closed --filter reset
            """)

    @Option(
        name: [.customShort("r"), .long], help: ArgumentHelp("Only connections of this relay.", valueName: "name"),
        completion: .relays)
    var relay: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Sort key: \(listed(ConnectionSort.keys)). Prefix with - to reverse. Default: id. Closed connections "
                + "are listed newest first.", valueName: "key"),
        completion: .list(ConnectionSort.keys), transform: parseConnectionSort)
    var sort: ConnectionSort?

    @Option(
        help: ArgumentHelp(
            "Only connections with this text in the relay, an address, the state or the reason.", valueName: "text"))
    var filter: String?

    @Option(
        name: [.customShort("n"), .long],
        help: ArgumentHelp("Maximum number of connections to list. Default: 1000.", valueName: "number"))
    var limit: Int?

    @Flag(help: "List recently closed connections, with their reasons.")
    var closed = false

    @Flag(help: "Repeat every second until Ctrl-C; in place on a terminal.")
    var watch = false

    @Flag(help: "Show times in UTC.")
    var utc = false

    @OptionGroup var options: AdminOptions

    func validate() throws {
        if let limit, !(1...10_000).contains(limit) { throw ValidationError("--limit must be from 1 to 10000.") }
        if closed, sort != nil {
            throw ValidationError("--sort is for open connections; closed ones are listed newest first.")
        }
    }

    func run() throws {
        let list = ConnectionList(
            client: try options.client(onlyReads: true), relay: relay, sort: sort, filter: filter, limit: limit ?? 1000,
            closed: closed,
            isForPrograms: options.json)
        if watch {
            let view = RepeatedView(every: 1000, isForPrograms: options.json) { rows in
                try list.lines(ClientOutput(showsUTC: utc), at: rows)
            }
            try view.run()
        } else if options.json {
            let found = try list.fetch()
            for warning in found.warnings { writeToStandardError("tapline: \(warning)\n") }
            try ClientOutput().write(json: found.rows)
        } else {
            let output = ClientOutput(showsUTC: utc)
            try output.write(lines: list.lines(output, at: nil))
        }
    }
}
