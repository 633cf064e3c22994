import Glibc
import Sockets
import Terminal
package import Text

/// Waits for the end of a tapline after a request to end, and prints the number of connections left. It identifies the
/// tapline by process id and start time: in a container every tapline is process 1.
package struct EndWait {
    /// The time that a tapline needs beyond that of its connections, for the last lines and for closing its recordings.
    package static let allowance = Duration.seconds(10)
    /// The pause between two requests, milliseconds.
    private static let pause: Int32 = 250
    /// The bound of one answer, milliseconds.
    private static let answerTimeout: Int64 = 5000

    private let client: AdminClient
    private let process: JSONValue
    private let start: JSONValue

    /// Identifies the tapline, before the request to end.
    package init(_ client: AdminClient) throws {
        self.client = client
        let status = try client.json(.get, "/v1/status")
        process = status["pid"]
        start = status["started"]
    }

    /// What happens to open connections, by the answer.
    package static func fate(_ answer: JSONValue) -> String {
        let open = answer["open_connections"].count ?? 0
        let fate =
            open == 0
            ? "no connections are open"
            : "\(Quantity.number(open, "connection")) may finish within \(Words.duration(answer["within_ms"].count))"
        return "no more clients are accepted; \(fate)"
    }

    /// The bound of the wait, from the server's answer; at most a configuration's longest duration, and the allowance.
    static func bound(_ milliseconds: UInt64) -> Duration {
        min(.milliseconds(Int64(clamping: milliseconds)), DurationText.longest) + allowance
    }

    /// Waits after the request's answer: for `timeout`, else for the time in the answer. `isForPrograms`: nothing is
    /// printed.
    package func run(_ timeout: Duration?, after answer: JSONValue, _ output: ClientOutput, isForPrograms: Bool) throws
    {
        let bound = timeout ?? Self.bound(answer["within_ms"].count ?? 0)
        let clock = try CommandClock(bound)
        var reported = answer["open_connections"].count ?? 0
        while true {
            switch state(within: clock.timeout(atMost: Self.answerTimeout)) {
            case .gone:
                if !isForPrograms { try output.write(lines: ["Tapline has stopped"]) }
                return
            case .open(let open):
                if open != reported, !isForPrograms {
                    try output.write(lines: ["\(Quantity.number(open, "connection")) left"])
                }
                reported = open
            case .unclear: break
            }
            guard clock.left > 0 else {
                throw CommandFailure(
                    .failure,
                    "tapline: still stopping after \(DurationText.text(of: bound)), "
                        + "\(Quantity.number(reported, "connection")) left; Tapline continues to stop")
            }
            try clock.pause(Self.pause, interrupted: "wait interrupted; Tapline continues to stop")
        }
    }

    /// The state of the tapline.
    private enum State {
        /// The process has ended.
        case gone
        /// It has this many open connections.
        case open(UInt64)
        /// Unknown: it is slow, or its answer broke off.
        case unclear
    }

    private func state(within answerTimeout: Int64) -> State {
        do {
            let answer = try client.attempt(.get, "/v1/status", deadline: answerTimeout)
            guard answer.status < 400, let status = try? answer.json() else { return .unclear }
            guard status["pid"] == process, status["started"] == start else { return .gone }
            return status["open_connections"].count.map(State.open) ?? .unclear
        } catch {
            // It answers until it ends; then its port is closed and its socket's file is removed.
            guard case .connect(let reason) = error else { return .unclear }
            return reason.code == ECONNREFUSED || reason.code == ENOENT ? .gone : .unclear
        }
    }
}
