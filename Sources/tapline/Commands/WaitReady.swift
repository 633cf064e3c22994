import ArgumentParser
import Client
import Text

/// `tapline wait-ready`: waits until a tapline accepts clients.
struct WaitReady: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait-ready",
        abstract: "Wait until Tapline accepts clients.",
        discussion: """
            Exits with 0 as soon as /readyz of its admin API reports that it is ready, even if Tapline is started later; with 1 \
            and the reason after --timeout. With --timeout 0 it checks once, for probes. No token is needed.

              tapline wait-ready --admin unix:/run/tapline/admin.sock --timeout 10s
            """)

    /// How long it waits without `--timeout`.
    private static let patience = Duration.seconds(30)

    @Option(
        help: ArgumentHelp(
            "Maximum time; 0: check once. Default: \(DurationText.text(of: patience)).", valueName: "duration"),
        transform: parseDuration)
    var timeout = patience

    @OptionGroup var options: AdminOptions

    func run() throws {
        let wait = ReadyWait(client: try options.client())
        let answer = try wait.run(timeout)
        let output = ClientOutput()
        if options.json { return try output.write(json: [answer]) }
        try output.write(lines: ["ready, \(Quantity.number(answer["listeners"].count ?? 0, "listener"))"])
    }
}
