import Sockets
import Terminal
import Text

/// The time limit of a command, and the pause between two requests, which Ctrl-C ends. On the thread that made it.
struct CommandClock: ~Copyable {
    private let deadline: ContinuousClock.Instant
    private let interruption: Interruption

    /// Starts now.
    init(_ bound: Duration) throws(SystemError) {
        deadline = .now + bound
        interruption = try Interruption()
    }

    /// The milliseconds left; 0 when the time is over.
    var left: Int64 {
        Int64(clamping: ContinuousClock.now.duration(to: deadline).milliseconds)
    }

    /// The bound of one answer: `most`, or the time left.
    func timeout(atMost most: Int64) -> Int64 {
        min(most, max(left, 1))
    }

    /// Pauses, at most until the time is over. Throws at Ctrl-C or SIGTERM, with a message about what was interrupted.
    func pause(_ milliseconds: Int32, interrupted: String) throws(CommandFailure) {
        if interruption.wait(milliseconds: min(milliseconds, Int32(clamping: left))), interruption.consumeSignal() {
            throw CommandFailure(.failure, "tapline: \(interrupted)")
        }
    }
}
