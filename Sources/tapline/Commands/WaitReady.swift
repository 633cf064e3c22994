import ArgumentParser
import Client
import Text

/// `tapline wait-ready`: waits until a tapline accepts clients.
struct WaitReady: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait-ready",
        abstract: "Wait until a tapline accepts clients.",
        discussion: """
            Ends with 0 as soon as its admin API's /readyz says yes, also when tapline is started only after this; with 1 \
            and the reason when the time is over. With --timeout 0 it asks once, as a probe does. No token is needed.

              tapline wait-ready --admin unix:/run/tapline/admin.sock --timeout 10s
            """)

    /// How long it waits without `--timeout`.
    private static let patience = Duration.seconds(30)

    @Option(
        help: ArgumentHelp(
            "How long at most; 0 asks once. Default: \(DurationText.text(of: patience)).", valueName: "duration"),
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
