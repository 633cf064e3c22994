import ArgumentParser
import Client
import Terminal

/// `tapline why`: what happened to a connection.
struct Why: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Explain what is happening, or what happened, to a connection.",
        discussion: """
            In sentences: who connected, how many bytes went each way, which side waits for the other or who ended it \
            and why, and what to do about it. Then the numbers. For open connections and for the last 512 that ended; \
            older ones are in the access log.

            Without an id: the last connection that failed, or else the last one that ended.
            """)

    @Argument(
        help: ArgumentHelp(
            "The connection's id, as in the log and in `tapline connections`. Default: the last one that failed.",
            valueName: "id"))
    var id: UInt64?

    @OptionGroup var options: AdminOptions

    func run() throws {
        let client = try options.client()
        let output = ClientOutput()
        let id = try id ?? LastFailure.id(client)
        let connection = try client.json(.get, "/v1/connections/\(id)")
        if options.json { return try output.write(json: [connection]) }
        let report = ConnectionReport(connection)
        let lines = report.lines(within: output.columns ?? 100, showsUnicode: output.terminal.showsUnicode)
        try output.write(lines: [output.bold(lines[0])] + lines.dropFirst())
    }
}
