import Configuration
import Glibc
import Sockets
import Terminal
import Text

/// Waits until a tapline that was asked to end has ended, and says meanwhile what is left. Its own process's number and
/// start tell it from one that takes its place: in a container every tapline is process 1.
package struct EndWait {
    /// What a tapline needs beyond the time of its connections: to write its last lines, and to close its recordings.
    package static let allowance = Duration.seconds(10)
    /// How often it is asked for what is left, milliseconds.
    private static let pause: Int32 = 250
    /// How long one answer may take, milliseconds.
    private static let patience: Int64 = 5000

    private let client: AdminClient
    private let process: JSONValue
    private let start: JSONValue

    /// Before it is asked to end: notes which tapline it is.
    package init(_ client: AdminClient) throws {
        self.client = client
        let status = try client.json(.get, "/v1/status")
        process = status["pid"]
        start = status["started"]
    }

    /// What happens to what is open, of the answer.
    package static func fate(_ answer: JSONValue) -> String {
        let open = answer["open_connections"].count ?? 0
        let fate =
            open == 0
            ? "nothing is open"
            : "\(Quantity.number(open, "connection")) may finish within \(Words.duration(answer["within_ms"].count))"
        return "no more clients are accepted; \(fate)"
    }

    /// How long to wait, by what the server answered; at most what a configuration could say, and the allowance.
    static func bound(_ milliseconds: UInt64) -> Duration {
        min(.milliseconds(Int64(clamping: milliseconds)), DurationText.longest) + allowance
    }

    /// Waits after the answer to the request to end, so long or as long as that answer says. `isForPrograms`: nothing is
    /// said.
    package func run(_ timeout: Duration?, after answer: JSONValue, _ output: ClientOutput, isForPrograms: Bool) throws
    {
        let bound = timeout ?? Self.bound(answer["within_ms"].count ?? 0)
        let clock = try CommandClock(bound)
        var told = answer["open_connections"].count ?? 0
        while true {
            switch look(within: clock.patience(Self.patience)) {
            case .gone:
                if !isForPrograms { try output.write(lines: ["tapline has ended"]) }
                return
            case .open(let open):
                if open != told, !isForPrograms {
                    try output.write(lines: ["\(Quantity.number(open, "connection")) left"])
                }
                told = open
            case .unclear: break
            }
            guard clock.left > 0 else {
                throw CommandFailure(
                    .failure,
                    "tapline: it has not ended within \(DurationText.text(of: bound)), "
                        + "\(Quantity.number(told, "connection")) left; it goes on ending")
            }
            try clock.pause(Self.pause, interrupted: "not waited for; it goes on ending")
        }
    }

    /// How it stands.
    private enum State {
        /// The process has ended.
        case gone
        /// It has this many connections left.
        case open(UInt64)
        /// Not known now: it is slow, or its last answers are cut.
        case unclear
    }

    private func look(within patience: Int64) -> State {
        do {
            let answer = try client.attempt(.get, "/v1/status", deadline: patience)
            guard answer.status < 400, let status = try? answer.json() else { return .unclear }
            guard status["pid"] == process, status["started"] == start else { return .gone }
            return status["open_connections"].count.map(State.open) ?? .unclear
        } catch {
            // It answers until its end; then its port is closed and its socket's file is gone.
            guard case .connect(let reason) = error else { return .unclear }
            return reason.code == ECONNREFUSED || reason.code == ENOENT ? .gone : .unclear
        }
    }
}
