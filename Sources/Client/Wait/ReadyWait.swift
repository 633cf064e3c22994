import Terminal
package import Text

/// Waits until a tapline accepts clients, by `/readyz` of its admin API.
package struct ReadyWait {
    /// The bound of one answer, milliseconds.
    private static let answerTimeout: Int64 = 5000
    /// The pause between two requests, milliseconds.
    private static let pause: Int32 = 100

    private let client: AdminClient

    /// Of one tapline.
    package init(client: AdminClient) {
        self.client = client
    }

    /// Waits at most this long; zero: one request, as for a probe. Returns the answer. Throws the reason when the time
    /// is over, and at once an error that waiting does not change.
    package func run(_ timeout: Duration) throws -> JSONValue {
        let clock = try CommandClock(timeout)
        let isOnce = timeout == .zero
        var reason: String?
        repeat {
            switch try ask(within: isOnce ? Self.answerTimeout : clock.timeout(atMost: Self.answerTimeout)) {
            case .ready(let answer): return answer
            case .notYet(let latest): reason = latest
            // An answer that the end of the time cut short is less informative than the one before.
            case .noAnswer(let latest): reason = reason ?? latest
            }
            try clock.pause(Self.pause, interrupted: "wait interrupted")
        } while clock.left > 0
        let bound = isOnce ? "" : " within \(DurationText.text(of: timeout))"
        throw CommandFailure(.failure, "tapline: not ready\(bound)" + (reason.map { "\n\($0)" } ?? ""))
    }

    private enum Reply {
        case ready(JSONValue)
        /// Not ready, with the reason.
        case notYet(String)
        /// No answer in time, with the message.
        case noAnswer(String)
    }

    /// Sends one request. Throws an error that waiting does not change.
    private func ask(within answerTimeout: Int64) throws(CommandFailure) -> Reply {
        let answer: AdminClient.Answer
        do {
            answer = try client.attempt(.get, "/readyz", deadline: answerTimeout)
        } catch {
            let failure = error.failure(client.target)
            switch error {
            // Not started yet, started a moment ago by another user, between two starts, or slow.
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
