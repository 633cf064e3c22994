import ArgumentParser
import Client
import Show
import Terminal
import Text

/// `tapline why`: what happened to a connection.
struct Why: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Explain what is happening, or what happened, to a connection.",
        discussion: """
            In sentences: who connected to what, how many bytes moved, which side waits for the other or which side ended \
            it and why, and what to do about it. Then the numbers. For open connections and for the last 512 that ended; \
            older ones are in the access log. With recordings: about a recorded connection, without a running Tapline.

            Without an id: the last connection that failed, or else the last one that ended. Times are local on a terminal.

              tapline why
              tapline why 7
              tapline why web.pcapng 7
            """)

    @Argument(
        help: ArgumentHelp(
            """
            The connection's id, as in the log and in `tapline connections`; before it, recordings or folders of them. \
            Default: the last one that failed.
            """, valueName: "id"),
        completion: .file(extensions: ["pcapng", "pcap", "cap"]))
    var words: [String] = []

    @Flag(help: "Show times in UTC.")
    var utc = false

    @OptionGroup var options: AdminOptions

    func validate() throws {
        if words.count == 1, id == nil {
            throw ValidationError("`\(words[0])` is no connection's id; of a recording: tapline why FILE ID.")
        }
        if words.count > 1, RecordingArguments.split(words).connection == nil {
            throw ValidationError("The connection's id is missing at the end: tapline why FILE ID.")
        }
        if words.count > 1, options.json { throw ValidationError("--json is for a running tapline.") }
    }

    private var id: UInt64? { words.first.flatMap { UInt64($0.hasPrefix("#") ? $0.dropFirst() : Substring($0)) } }

    func run() throws {
        let (paths, recorded) = RecordingArguments.split(words)
        if let recorded, !paths.isEmpty {
            var session = ShowSession(storyOf: recorded, in: try RecordingSet(paths), utc: utc)
            return try session.run()
        }
        let client = try options.client(onlyReads: true)
        let output = ClientOutput(showsUTC: utc)
        let id = try id ?? LastFailure.id(client)
        let connection = try client.json(.get, "/v1/connections/\(id)")
        if options.json { return try output.write(json: [connection]) }
        let report = ConnectionReport(connection, zone: output.zone)
        let lines = report.lines(within: output.columns ?? 100, showsUnicode: output.terminal.showsUnicode)
        try output.write(lines: [output.bold(lines[0])] + lines.dropFirst())
    }
}
