import ArgumentParser
import Relay
import Show
import Sockets
import Terminal

/// `tapline show`: reads recordings.
struct ShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Read a recording: who talked, what was said, how it ended.",
        discussion: """
            Reads recordings of Tapline's and other captures (pcapng and pcap, as of tcpdump): every conversation with its \
            bytes in order, the first copy of what was sent twice, and what is missing or repeated named.

              tapline show web.pcapng                    a line for each conversation
              tapline show web.pcapng 7 --format text    what was said in connection 7
              tapline show recordings/ --filter reset    all recordings in a folder
              tapline show web.*.pcapng --sort bytes     rotated files, joined
              tapline show web.pcapng 7 --format raw --flow down > answer

            A file that is cut short is read up to the cut. Times on a terminal are local; in files and pipes they are UTC.
            """)

    @Argument(
        help: ArgumentHelp(
            "Recordings, and folders with recordings; - is standard input. A number at the end, such as 7 or '#7', is "
                + "--connection.", valueName: "file"),
        completion: .connections)
    var files: [String]

    @Option(
        help: ArgumentHelp(
            "summary: a line for each conversation. text: the bytes as text, with control characters escaped. hex: "
                + "offset, bytes, characters. raw: the bytes. json: an object a line, the bytes in Base64. Default: "
                + "summary.", valueName: "format"))
    var format: ShowFormat?

    @Flag(name: [.customShort("j"), .long], help: "The same as --format json.")
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
            "The order of the summary: \(listed(ShowSort.keys)). Prefix with - to reverse. Default: id, or start for "
                + "several recordings.", valueName: "key"),
        completion: .list(ShowSort.keys), transform: parseShowSort)
    var sort: ShowSort?

    @Option(
        help: ArgumentHelp(
            "Only the bytes of one direction: up is from client to upstream, down is back.", valueName: "flow"),
        completion: .list(Direction.allCases.map(\.rawValue)), transform: parseFlow)
    var flow: Direction?

    @Flag(help: "At the end of the file wait for more, until Ctrl-C or until the file is rotated away.")
    var follow = false

    @Flag(help: "Times in UTC, also on a terminal.")
    var utc = false

    func validate() throws {
        if json, let format, format != .json { throw ValidationError("--json is --format json.") }
        let format = shownFormat
        if flow != nil, format == .summary {
            throw ValidationError("--flow wants bytes to choose from: say --format text, hex, raw or json too.")
        }
        if sort != nil, format != .summary {
            throw ValidationError("--sort is for the summary: bytes are shown in the order of time.")
        }
        let (paths, number) = RecordingArguments.split(files)
        if number != nil, let connection, connection != number {
            throw ValidationError("--connection \(connection) and \(files.last ?? "") name different connections.")
        }
        if paths.isEmpty { throw ValidationError("Missing expected argument '<file> ...'") }
        if follow, paths.contains("-") {
            throw ValidationError("Standard input is read as it comes: --follow is for files.")
        }
        if follow, paths.count > 1 { throw ValidationError("--follow is for one file.") }
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
                ends: EndFilter(words: filter, closedBy: closedBy?.rawValue, reason: reason?.rawValue)),
            format: shownFormat, sort: sort, utc: utc)
        try session.run()
    }
}
