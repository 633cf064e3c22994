import ArgumentParser
import Client
import Sockets
import Terminal
import Text

/// `tapline top`: a running Tapline's state, updated on the whole terminal.
struct Top: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watch a running Tapline: rates, relays and connections, live.",
        discussion: """
            Keys: arrows, j and k move, Enter explains a connection, s sorts, / filters, x resets a connection, r starts \
            or stops recording a relay, p pauses, ? shows help, q quits. Without a terminal it prints everything once.
            """)

    @OptionGroup var options: AdminOptions

    func run() throws {
        let client = try options.client(onlyReads: true)
        // Before the alternate screen: an error message stays on the terminal.
        let status = try client.json(.get, "/v1/status")
        let isForPerson = ClientOutput.isTerminal && !options.json && ProcessEnvironment.value("TERM") != "dumb"
        if isForPerson, let mode = TerminalMode() {
            try TopSession(client: client, terminal: TopTerminal(mode)).run()
        } else {
            try once(client, status)
        }
    }

    private func once(_ client: AdminClient, _ status: JSONValue) throws {
        let relays = try client.json(.get, "/v1/relays")["relays"].elements
        let connections = try client.json(.get, "/v1/connections?sort=rate")["connections"].elements
        let output = ClientOutput()
        if options.json { return try output.write(json: [status] + relays + connections) }
        var lines = StatusReport(status: status, relays: relays, target: client.target).lines(output)
        if !connections.isEmpty { lines += [""] + ConnectionTable(connections, areClosed: false).lines(output) }
        try output.write(lines: lines)
    }
}
