import EventLoop
import Glibc
import Logging
import Sockets

/// Tells the service manager that Tapline is alive, as often as it wants to hear it, and only while every loop turns.
///
/// On the main thread, whose own loop has to turn for this to be told at all. The workers' loops are asked each time, and
/// nothing is told until all have answered: one that hangs keeps Tapline silent, and the manager ends and restarts it
/// (systemd.service(5), `WatchdogSec=`).
final class Watchdog {
    /// The process that is meant.
    static let processVariable = "WATCHDOG_PID"
    /// How long the manager waits, microseconds.
    static let periodVariable = "WATCHDOG_USEC"

    private let period: UInt64
    private let logger: Logger
    private let ask: () -> Void
    private let alive: () -> Void
    /// The monotonic clock, nanoseconds.
    private let ticks: () -> UInt64
    private var timer: Timer?
    /// Since when an answer is awaited.
    private var asked: UInt64?
    private var hasComplained = false

    /// How often to tell it, milliseconds: twice in the time that the manager waits (sd_watchdog_enabled(3)). Nil when it
    /// does not wait for us.
    static func period(in environment: [String: String], process: Int32 = getpid()) -> UInt64? {
        if let text = environment[processVariable], text != "\(process)" { return nil }
        guard let text = environment[periodVariable], let microseconds = UInt64(text), microseconds > 0 else {
            return nil
        }
        return max(1, microseconds / 2000)
    }

    /// Begins. `ask` has every loop asked, and `answered` follows; `alive` tells the manager.
    init(
        loop: EventLoop, period: UInt64, logger: Logger, ask: @escaping () -> Void, alive: @escaping () -> Void,
        ticks: @escaping () -> UInt64 = { EventLoop.nanoseconds }
    ) throws(UVError) {
        self.period = period
        self.logger = logger
        self.ask = ask
        self.alive = alive
        self.ticks = ticks
        timer = Timer(loop: loop) { [unowned self] in look() }
        // The first one at once: the manager's time may have begun long ago.
        timer?.start(after: 0, every: period)
    }

    /// One period is over. The timer calls it.
    func look() {
        guard let asked else {
            asked = ticks()
            return ask()
        }
        let silent = Monotonic.elapsed(from: asked, to: ticks()) / 1_000_000
        guard silent >= period, !hasComplained else { return }
        hasComplained = true
        logger.error(
            "a worker's loop has not turned for \(silent) ms; the service manager's watchdog is not told otherwise")
    }

    /// Every loop has turned since the question.
    func answered() {
        asked = nil
        hasComplained = false
        alive()
    }

    /// Tells nothing more.
    func close() {
        timer?.close()
        timer = nil
    }
}
