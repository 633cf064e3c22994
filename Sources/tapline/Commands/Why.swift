import ArgumentParser
import Client
import Terminal

/// `tapline why`: what happened to a connection.
struct Why: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Explain what is happening, or what happened, to a connection.",
        discussion: """
            In sentences: who connected to what, how many bytes moved, which side waits for the other or which side ended \
            it and why, and what to do about it. Then the numbers. For open connections and for the last 512 that ended; \
            older ones are in the access log. Times are local on a terminal.
            """)

    @Argument(help: ArgumentHelp("The connection's id, as in the log and in `tapline connections`.", valueName: "id"))
    var id: UInt64

    @Flag(help: "Show times in UTC.")
    var utc = false

    @OptionGroup var options: AdminOptions

    func run() throws {
        let client = try options.client()
        let output = ClientOutput(showsUTC: utc)
        let connection = try client.json(.get, "/v1/connections/\(id)")
        if options.json { return try output.write(json: [connection]) }
        let report = ConnectionReport(connection, zone: output.zone)
        let lines = report.lines(within: output.columns ?? 100, showsUnicode: output.terminal.showsUnicode)
        try output.write(lines: [output.bold(lines[0])] + lines.dropFirst())
    }
}
