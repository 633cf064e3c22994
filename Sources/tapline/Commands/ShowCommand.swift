import ArgumentParser
import Show
import Sockets

/// `tapline show`: reads a recording.
struct ShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Read a recording: who talked, what was said, how it ended.",
        discussion: """
            Reads recordings of Tapline's and other captures (pcapng and pcap, as of tcpdump): every conversation with its \
            bytes in order, the first copy of what was sent twice, and what is missing or repeated named.

              tapline show web.pcapng                                  a line for each conversation
              tapline show web.pcapng --connection 7 --format text     what was said in one of them
              tapline show web.pcapng --connection 7 --format raw --flow down > answer
              tapline forward --record - 8080:example.com:80 | tapline show - --format text

            A file that is cut short is read up to the cut.
            """)

    @Argument(help: ArgumentHelp("The recording; - is standard input.", valueName: "file"))
    var file: String

    @Option(
        help: ArgumentHelp(
            "summary: a line for each conversation. text: the bytes as text, harmless for a terminal. hex: offset, bytes, "
                + "characters. raw: the bytes. json: an object a line, the bytes in Base64.", valueName: "format"))
    var format = ShowFormat.summary

    @Option(help: ArgumentHelp("Only the conversation with this number.", valueName: "number"))
    var connection: UInt64?

    @Option(help: ArgumentHelp("Only conversations of this relay.", valueName: "name"))
    var relay: String?

    @Option(
        help: ArgumentHelp(
            "Only one of the two directions: up is from client to upstream, down is back.", valueName: "flow"),
        transform: parseFlow)
    var flow: Direction?

    @Flag(help: "At the end of the file wait for more, until Ctrl-C or until the file is rotated away.")
    var follow = false

    func validate() throws {
        if flow != nil, format == .summary {
            throw ValidationError("--flow wants bytes to choose from: say --format text, hex, raw or json too.")
        }
        if follow, file == "-" {
            throw ValidationError("Standard input is read as it comes: --follow is for files.")
        }
    }

    func run() throws {
        let reading = try RecordingInput(path: file, follow: follow)
        var session = ShowSession(
            input: reading,
            filter: ShowFilter(connection: connection, relay: relay, flow: flow),
            format: format)
        try session.run()
    }
}
