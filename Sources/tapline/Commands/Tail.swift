import ArgumentParser
import Client
import Terminal

/// `tapline tail`: live traffic.
struct Tail: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the traffic of a running tapline as it passes.",
        discussion: """
            From now on, until Ctrl-C, or with --connection until that has ended. The relay never waits for it: what is \
            not taken in time is left out, and the output says how much.

              tapline tail --relay web
              tapline tail --connection 12 --format hex
              tapline tail --format pcapng | wireshark -k -i -
            """)

    @Option(
        name: [.customShort("r"), .long], help: ArgumentHelp("Only this relay.", valueName: "name"), completion: .relays
    )
    var relay: String?

    @Option(
        help: ArgumentHelp("Only the connection with this id.", valueName: "id"), completion: .connections)
    var connection: UInt64?

    @Option(
        help: ArgumentHelp(
            "text: the bytes as text, with control characters escaped. hex: offset, bytes, characters. json: an object a line, "
                + "the bytes in Base64. pcapng: a recording, for a file or Wireshark. Default: text.",
            valueName: "format"))
    var format: TailFormat?

    @Flag(help: "Times in UTC, also on a terminal.")
    var utc = false

    @OptionGroup var options: AdminOptions

    func validate() throws {
        if options.json, let format, format != .json { throw ValidationError("--json is --format json.") }
    }

    func run() throws {
        let format = format ?? (options.json ? .json : .text)
        if format == .pcapng, ClientOutput.isTerminal {
            throw CommandFailure.binaryOnTerminal
        }
        try TailSession(client: try options.client(), relay: relay, connection: connection, format: format, utc: utc)
            .run()
    }
}
