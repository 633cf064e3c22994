import ArgumentParser
import Client
import Text

/// `tapline status`: a running Tapline's state on one screen.
struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the state of a running Tapline on one screen.",
        discussion: """
            What needs attention comes first: relays that fail to connect, draining, a rejected reload, paused accepting, \
            bytes that a recording lost. Then the process, and each relay with its listeners, upstream, open connections, rates and totals.

            With --json: the status on the first line, then one relay per line.
            """)

    @Flag(help: "Show times in UTC.")
    var utc = false

    @OptionGroup var options: AdminOptions

    func run() throws {
        let client = try options.client(onlyReads: true)
        let status = try client.json(.get, "/v1/status")
        let relays = try client.json(.get, "/v1/relays")["relays"].elements
        let output = ClientOutput(showsUTC: utc)
        if options.json { return try output.write(json: [status] + relays) }
        try output.write(lines: StatusReport(status: status, relays: relays, target: client.target).lines(output))
    }
}
