import ArgumentParser
import Relay
import Show
import Sockets
import Terminal

/// `tapline show`: reads recordings.
struct ShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Read a recording: the connections, their bytes, and how they ended.",
        discussion: """
            Reads Tapline's recordings and other captures (pcapng and pcap, such as tcpdump's): every conversation with its \
            bytes in order. Of retransmitted bytes the first copy is shown, and gaps and repetitions are reported.

              tapline show web.pcapng                    one line per conversation
              tapline show web.pcapng 7 --format text    the bytes of connection 7
              tapline show recordings/ --filter reset    all recordings in a directory
              tapline show web.*.pcapng --sort bytes     rotated files, joined
              tapline show web.pcapng 7 --format raw --flow down > answer

            A truncated file is read up to the cut. Times on a terminal are local; in files and pipes they are UTC.
            """)

    @Argument(
        help: ArgumentHelp(
            "Recordings, and directories with recordings; - is standard input. A number at the end, such as 7 or '#7', is "
                + "--connection.", valueName: "file"),
        completion: .connections)
    var files: [String]

    @Option(
        help: ArgumentHelp(
            "summary: one line per conversation. text: the bytes as text, with control characters escaped. hex: "
                + "offset, bytes, characters. raw: the bytes. json: one object per line, the bytes in Base64. Default: "
                + "summary.", valueName: "format"))
    var format: ShowFormat?

    @Flag(name: [.customShort("j"), .long], help: "Same as --format json.")
    var json = false

    @Option(
        help: ArgumentHelp("Only the conversation with this number.", valueName: "number"), completion: .connections)
    var connection: UInt64?

    @Option(
        name: [.customShort("r"), .long], help: ArgumentHelp("Only conversations of this relay.", valueName: "name"),
        completion: .relays)
    var relay: String?

    @Option(
        help: ArgumentHelp(
            "Only conversations with this text in an address, a name, the protocol or the reason.", valueName: "text"))
    var filter: String?

    @Option(
        help: ArgumentHelp("Only conversations that this side ended: client, upstream or tapline.", valueName: "side"),
        completion: .list(ClosedBy.allCases.map(\.rawValue)), transform: parseClosedBy)
    var closedBy: ClosedBy?

    @Option(
        help: ArgumentHelp("Only conversations with this end reason.", valueName: "reason"),
        completion: .list(EndReason.allCases.map(\.rawValue)), transform: parseEndReason)
    var reason: EndReason?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Sort key of the summary: \(listed(ShowSort.keys)). Prefix with - to reverse. Default: id, or start for "
                + "several recordings.", valueName: "key"),
        completion: .list(ShowSort.keys), transform: parseShowSort)
    var sort: ShowSort?

    @Option(
        help: ArgumentHelp(
            "Only the bytes of one direction: up is from client to upstream, down is back.", valueName: "flow"),
        completion: .list(Direction.allCases.map(\.rawValue)), transform: parseFlow)
    var flow: Direction?

    @Option(
        help: ArgumentHelp(
            "Show the encrypted leg with this side, client or upstream, as it was recorded with `encrypted: true`. "
                + "Default: what was relayed, in plaintext; the summary has both.", valueName: "side"),
        completion: .list(Side.allCases.map(\.rawValue)), transform: parseLeg)
    var leg: Side?

    @Flag(help: "Wait for more at the end of the file, until Ctrl-C or until the file is rotated.")
    var follow = false

    @Flag(help: "Show times in UTC, also on a terminal.")
    var utc = false

    func validate() throws {
        if json, let format, format != .json {
            throw ValidationError("--json means --format json; leave one of them out.")
        }
        let format = shownFormat
        if flow != nil, format == .summary {
            throw ValidationError("--flow selects bytes: add --format text, hex, raw or json.")
        }
        if sort != nil, format != .summary {
            throw ValidationError("--sort is only for the summary: bytes are shown in the order of time.")
        }
        let (paths, number) = RecordingArguments.split(files)
        if number != nil, let connection, connection != number {
            throw ValidationError("--connection \(connection) and \(files.last ?? "") name different connections.")
        }
        if paths.isEmpty { throw ValidationError("Missing expected argument '<file> ...'") }
        if follow, paths.contains("-") {
            throw ValidationError("--follow is only for files: standard input is always read to its end.")
        }
        if follow, paths.count > 1 { throw ValidationError("--follow takes only one file.") }
    }

    /// The recordings on the command line.
    var recordings: [String] { RecordingArguments.split(files).paths }

    private var shownFormat: ShowFormat { format ?? (json ? .json : .summary) }

    func run() throws {
        let (paths, number) = RecordingArguments.split(files)
        let recordings = try RecordingSet(paths)
        var session = ShowSession(
            recordings, follow: follow,
            filter: ShowFilter(
                connection: connection ?? number, relay: relay, flow: flow,
                legs: leg.map { .encrypted($0) } ?? (shownFormat == .summary ? .all : .plaintext),
                ends: EndFilter(words: filter, closedBy: closedBy?.rawValue, reason: reason?.rawValue)),
            format: shownFormat, sort: sort, utc: utc)
        try session.run()
    }
}
