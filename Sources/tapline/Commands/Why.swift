import ArgumentParser
import Client
import Show
import Terminal

/// `tapline why`: what happened to a connection.
struct Why: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Explain what is happening, or what happened, to a connection.",
        discussion: """
            In sentences: who connected to whom, what has passed, who waits for whom or who ended it and why, and what \
            to do about it. Then the numbers. For open connections and for the last 512 that ended; older ones are in \
            the access log. With recordings, of a recorded connection, without a running tapline.

              tapline why 7
              tapline why web.pcapng 7
            """)

    @Argument(
        help: ArgumentHelp(
            "The connection's id, as in the log and in `tapline connections`; before it, recordings or folders of them.",
            valueName: "id"),
        completion: .file(extensions: ["pcapng", "pcap", "cap"]))
    var words: [String]

    @Flag(help: "Times in UTC, also on a terminal; of recordings.")
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
        if let recorded {
            var session = ShowSession(storyOf: recorded, in: try RecordingSet(paths), utc: utc)
            return try session.run()
        }
        guard let id else { return }
        let client = try options.client()
        let output = ClientOutput()
        let connection = try client.json(.get, "/v1/connections/\(id)")
        if options.json { return try output.write(json: [connection]) }
        let report = ConnectionReport(connection)
        let lines = report.lines(within: output.columns ?? 100, showsUnicode: output.terminal.showsUnicode)
        try output.write(lines: [output.bold(lines[0])] + lines.dropFirst())
    }
}
