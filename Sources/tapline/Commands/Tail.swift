import ArgumentParser
import Client
import Terminal

/// `tapline tail`: live traffic.
struct Tail: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the traffic of a running Tapline as it passes.",
        discussion: """
            From now on, until Ctrl-C, or with --connection until that one has ended. The relay never waits for it: traffic \
            that cannot be printed in time is skipped, and the output says how much.

              tapline tail web
              tapline tail --connection 12 --format hex
              tapline tail --format pcapng | wireshark -k -i -
            """)

    @Argument(help: ArgumentHelp("Only this relay, as with --relay.", valueName: "relay"), completion: .relays)
    var name: String?

    @Option(
        name: [.customShort("r"), .long], help: ArgumentHelp("Only this relay.", valueName: "name"), completion: .relays
    )
    var relay: String?

    @Option(
        help: ArgumentHelp("Only the connection with this id.", valueName: "id"), completion: .connections)
    var connection: UInt64?

    @Option(
        help: ArgumentHelp(
            "text: the bytes as text, with control characters escaped. hex: offset, bytes, characters. json: one object per line, "
                + "the bytes in Base64. pcapng: a recording, for a file or Wireshark. Default: text.",
            valueName: "format"))
    var format: TailFormat?

    @Flag(
        help: "With --format pcapng: include the encrypted bytes of new TLS sessions, with the keys that decrypt them.")
    var encrypted = false

    @Flag(help: "Show times in UTC, also on a terminal.")
    var utc = false

    @OptionGroup var options: AdminOptions

    func validate() throws {
        if options.json, let format, format != .json {
            throw ValidationError("--json means --format json; leave one of them out.")
        }
        if let name, let relay, name != relay {
            throw ValidationError("\(name) and --relay \(relay) name different relays.")
        }
        if encrypted, format != .pcapng { throw ValidationError("--encrypted needs --format pcapng.") }
    }

    func run() throws {
        let format = format ?? (options.json ? .json : .text)
        if format == .pcapng, ClientOutput.isTerminal {
            throw CommandFailure.binaryOnTerminal
        }
        try TailSession(
            client: try options.client(onlyReads: true), relay: relay ?? name, connection: connection,
            includesEncrypted: encrypted, format: format, utc: utc
        )
        .run()
    }
}
