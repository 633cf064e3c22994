import ArgumentParser
import Client
import Terminal
import Text

/// `tapline why`: what happened to a connection.
struct Why: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell what happens, or what happened, to a connection.",
        discussion: """
            In sentences: who connected to whom, what has passed, who waits for whom or who ended it and why, and what \
            to do about it. Then the numbers. For open connections and for the last 512 that ended; older ones are in \
            the access log.
            """)

    @Argument(help: ArgumentHelp("The connection's id, as in the log and in `tapline connections`.", valueName: "id"))
    var id: UInt64

    @OptionGroup var options: AdminOptions

    func run() throws {
        let client = try options.client()
        let output = ClientOutput()
        let connection = try client.json(.get, "/v1/connections/\(id)")
        if options.json { return try output.write(json: [connection]) }
        let report = ConnectionReport(connection)
        let lines = report.lines(within: output.columns ?? 100, showsUnicode: output.terminal.showsUnicode)
        try output.write(lines: [output.bold(lines[0])] + lines.dropFirst())
    }
}
