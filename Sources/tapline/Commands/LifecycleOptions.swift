import ArgumentParser
import Configuration
import Daemon
import Text

/// The options of `forward` that wait for the upstream, start it, and end Tapline by itself.
struct LifecycleOptions: ParsableArguments {
    /// How long clients are held when `--exec` is given without `--wait`.
    static let waitForCommand = Duration.seconds(30)

    @Option(
        help: ArgumentHelp(
            "Hold clients while the upstream is not up, and try again for this long; 0: fail at once. Default: 0, or "
                + "\(DurationText.text(of: waitForCommand)) with --exec.", valueName: "duration"),
        transform: parseDuration)
    var wait: Duration?

    @Option(
        help: ArgumentHelp(
            "Start the upstream with this shell command when a client finds that it is not up, and hold the client "
                + "meanwhile. The command ends with Tapline.", valueName: "command"))
    var exec: String?

    @Option(
        help: ArgumentHelp(
            "Stop the --exec command when no connection has been open for this long; the next client starts it again; "
                + "0: never. Default: 0.", valueName: "duration"), transform: parseDuration)
    var idleStop: Duration?

    @Flag(
        help: """
            Accept one connection and exit after it: with status 0 if both sides closed it cleanly, otherwise 1.
            """)
    var once = false

    @Option(
        help: ArgumentHelp(
            "Exit with status 0 when no connection has been open for this long; 0: never. Default: 0.",
            valueName: "duration"), transform: parseDuration)
    var exitIdle: Duration?

    /// How long clients are held.
    var holdTime: Duration { wait ?? (exec == nil ? .zero : Self.waitForCommand) }

    /// What to do in addition to relaying.
    var plan: LifecyclePlan {
        LifecyclePlan(
            command: exec, idleStop: idleStop ?? .zero, isOnce: once, exitIdle: exitIdle ?? .zero)
    }

    func validate() throws {
        if exec?.allSatisfy(\.isWhitespace) == true {
            throw ValidationError("--exec is empty; write the upstream's command, such as --exec 'npm start'.")
        }
        if exec != nil, wait == .zero {
            throw ValidationError(
                "--exec needs time to start the upstream, and --wait 0 allows none; leave --wait out (30s), or write a "
                    + "longer time.")
        }
        if idleStop != nil, exec == nil {
            throw ValidationError(
                "--idle-stop stops the --exec command, and there is no --exec. To stop Tapline when it is idle, write "
                    + "--exit-idle.")
        }
        if once, idleStop != nil {
            throw ValidationError(
                "--idle-stop has no effect with --once: the command ends after the only connection. Leave one of them out."
            )
        }
    }

    /// Checks the options against the relays of the SPECs.
    func check(_ relays: [RelaySettings]) throws {
        guard exec != nil else { return }
        guard relays.count == 1 else {
            throw ValidationError(
                "--exec starts one upstream, and there are \(relays.count) SPECs; run one `tapline forward` for each.")
        }
        let upstream = relays[0].upstream
        guard upstream != .originalDestination, upstream != .requested else {
            throw ValidationError(
                "--exec starts one upstream, and with \(upstream) every client has its own; leave one of them out.")
        }
    }
}
