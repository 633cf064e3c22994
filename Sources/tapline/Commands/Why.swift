import ArgumentParser
import Client
import Show
import Sockets
import Terminal
import Text

/// `tapline why`: what happened to a connection.
struct Why: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Explain what is happening, or what happened, to a connection.",
        discussion: """
            In sentences: who connected to what, how many bytes moved, which side is waiting for the other or which side ended \
            it and why, and what to do about it. Then the numbers. It knows open connections and the last 512 that ended; \
            older ones are in the access log. With recordings it explains a recorded connection, without a running Tapline. \
            With --json: one object, with the sentences in `story`.

            Without an id: the last connection that failed, or else the last one that ended. Times are local on a terminal.

              tapline why
              tapline why 7
              tapline why web.pcapng 7
              tapline why web.pcapng 7 --json
              tapline why one.pcapng    a recording of one connection
            """)

    @Argument(
        help: ArgumentHelp(
            """
            The connection's id, as in the log and in `tapline connections`; before it, recordings or directories of them. \
            Default: the last one that failed.
            """, valueName: "id"),
        completion: .connections)
    var words: [String] = []

    @Flag(help: "Show times in UTC.")
    var utc = false

    @OptionGroup var options: AdminOptions

    func validate() throws {
        guard RecordingArguments.split(words).connection == nil, id == nil, !words.isEmpty else { return }
        if let missing = words.first(where: { !Self.isReadTwice($0) }) {
            throw ValidationError(
                words.count > 1
                    ? "The connection's id is missing at the end: tapline why FILE ID."
                    : "`\(missing)` is neither a connection's id nor a recording; write tapline why ID, or tapline why "
                        + "FILE ID"
            )
        }
    }

    /// Whether it is a file or a folder: without an id it is read first for its connections, and then for their bytes.
    private static func isReadTwice(_ path: String) -> Bool {
        InputFile.identity(of: path).map { $0.isRegular || $0.isDirectory } ?? false
    }

    /// The recordings on the command line.
    var recordings: [String] { id == nil ? RecordingArguments.split(words).paths : [] }

    /// The id, where there is nothing else.
    private var id: UInt64? {
        guard words.count == 1, let word = words.first else { return nil }
        return UInt64(word.hasPrefix("#") ? word.dropFirst() : Substring(word))
    }

    func run() throws {
        if !recordings.isEmpty { return try explain(RecordingArguments.split(words).connection) }
        let client = try options.client(onlyReads: true)
        let output = ClientOutput(showsUTC: utc)
        let id = try id ?? LastFailure.id(client)
        let connection = try client.json(.get, "/v1/connections/\(id)")
        if options.json { return try output.write(json: [connection]) }
        let report = ConnectionReport(connection, zone: output.zone)
        try output.write(lines: report.lines(within: output.columns ?? 100, output.terminal))
    }

    /// Explains a connection of the recordings; without an id the only one.
    private func explain(_ connection: UInt64?) throws {
        let set = try RecordingSet(recordings)
        let ids = connection == nil ? RecordedNames(recordings).ids : []
        guard ids.count < 2 else {
            let paths = recordings.joined(separator: " ")
            throw UsageError(
                "\(set.name) has more than one connection; write tapline why \(paths) ID, with an id from "
                    + "tapline show \(paths)",
                command: "why")
        }
        var session = ShowSession(storyOf: connection, in: set, utc: utc, isForPrograms: options.json)
        try session.run()
        if connection == nil, ids.isEmpty { throw CommandFailure(.failure, "tapline: \(set.name) has no connections") }
    }
}
