import Sockets
import Terminal
import Text

/// How long a command may go on, and the wait between two questions: Ctrl-C ends it. On the thread that made it.
struct CommandClock: ~Copyable {
    private let deadline: ContinuousClock.Instant
    private let interruption: Interruption

    /// Begins now.
    init(_ bound: Duration) throws(SystemError) {
        deadline = .now + bound
        interruption = try Interruption()
    }

    /// The milliseconds that are left; 0 when the time is over.
    var left: Int64 {
        Int64(clamping: ContinuousClock.now.duration(to: deadline).milliseconds)
    }

    /// The milliseconds that one answer may take: `most`, and no more than are left.
    func patience(_ most: Int64) -> Int64 {
        min(most, max(left, 1))
    }

    /// Waits for some milliseconds, at most until the time is over. Throws at Ctrl-C or SIGTERM, with these words
    /// about what is not done now.
    func pause(_ milliseconds: Int32, interrupted: String) throws(CommandFailure) {
        if interruption.wait(milliseconds: min(milliseconds, Int32(clamping: left))), interruption.take() {
            throw CommandFailure(.failure, "tapline: \(interrupted)")
        }
    }
}
