import ArgumentParser
import Configuration
import Terminal

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

    /// How long one answer may take, milliseconds.
    private static let patience: Int64 = 5000
    /// How long to wait before it is asked again, milliseconds.
    private static let pause: Int32 = 100

    @Option(
        help: ArgumentHelp("How long at most; 0 asks once.", valueName: "duration"), transform: parseDuration)
    var timeout = Duration.seconds(30)

    @OptionGroup var options: AdminOptions

    func run() throws {
        let client = try options.client()
        let output = ClientOutput()
        let clock = try CommandClock(timeout)
        let isOnce = timeout == .zero
        var reason: String?
        repeat {
            switch try Self.ask(client, within: isOnce ? Self.patience : clock.patience(Self.patience)) {
            case .ready(let answer): return try tell(answer, output)
            case .notYet(let latest): reason = latest
            // An answer that the end of the time cut short says less than the one before it.
            case .noAnswer(let latest): reason = reason ?? latest
            }
            try clock.pause(Self.pause, interrupted: "not waited for")
        } while clock.left > 0
        let bound = isOnce ? "" : " within \(DurationText.text(of: timeout))"
        throw CommandFailure(.failure, "tapline: not ready\(bound)" + (reason.map { "\n\($0)" } ?? ""))
    }

    private func tell(_ answer: JSONValue, _ output: ClientOutput) throws {
        if options.json { return try output.write(json: [answer]) }
        try output.write(lines: ["ready, \(Words.number(answer["listeners"].count ?? 0, "listener"))"])
    }

    private enum Reply {
        case ready(JSONValue)
        /// Why not, for a person.
        case notYet(String)
        /// Nothing in that time; for a person.
        case noAnswer(String)
    }

    /// Asks once. Throws what waiting does not change.
    private static func ask(_ client: AdminClient, within patience: Int64) throws(CommandFailure) -> Reply {
        let answer: AdminClient.Answer
        do {
            answer = try client.attempt(.get, "/readyz", deadline: patience)
        } catch {
            let failure = error.failure(client.target)
            switch error {
            // Not started yet, started by another user a moment ago, between two starts, or slow.
            case .connect, .name, .cut: return .notYet(failure.message)
            case .timeout: return .noAnswer(failure.message)
            case .notHTTP, .tooLarge: throw CommandFailure(.failure, failure.message)
            }
        }
        if answer.status < 400 { return .ready(try answer.json()) }
        let failure = AdminRefusal(answer).failure(client.target)
        // It is draining, or has no listener yet.
        guard answer.status == 503 else { throw CommandFailure(.failure, failure.message) }
        return .notYet(failure.message)
    }
}
