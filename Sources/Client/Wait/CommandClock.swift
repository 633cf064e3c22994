import Sockets
import Terminal

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
        Self.milliseconds(in: ContinuousClock.now.duration(to: deadline))
    }

    /// Whole milliseconds, at most what fits: the bound may be what a server answered.
    static func milliseconds(in duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return Int64(clamping: max(0, Int128(seconds) * 1000 + Int128(attoseconds / 1_000_000_000_000_000)))
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
