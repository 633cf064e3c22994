import EventLoop
import Glibc
import Logging
import Sockets

/// Sends the service manager's keep-alive, and only while every loop iterates.
///
/// On the main thread, whose own loop has to iterate for this. The workers' loops are checked each time, and the
/// keep-alive is sent when all have answered: if one hangs, none is sent, and the manager ends and restarts Tapline
/// (systemd.service(5), `WatchdogSec=`).
final class Watchdog {
    /// The process that the watchdog applies to.
    static let processVariable = "WATCHDOG_PID"
    /// The manager's timeout, microseconds.
    static let periodVariable = "WATCHDOG_USEC"

    private let period: UInt64
    private let logger: Logger
    private let ask: () -> Void
    private let alive: () -> Void
    /// The monotonic clock, nanoseconds.
    private let ticks: () -> UInt64
    private var timer: Timer?
    /// The time of the pending check.
    private var asked: UInt64?
    private var hasReported = false

    /// The period of the keep-alive, milliseconds: half of the manager's timeout (sd_watchdog_enabled(3)). Nil without
    /// a watchdog for this process.
    static func period(in environment: [String: String], process: Int32 = getpid()) -> UInt64? {
        if let text = environment[processVariable], text != "\(process)" { return nil }
        guard let text = environment[periodVariable], let microseconds = UInt64(text), microseconds > 0 else {
            return nil
        }
        return max(1, microseconds / 2000)
    }

    /// Starts. `ask` checks every loop, and `answered` follows; `alive` sends the keep-alive.
    init(
        loop: EventLoop, period: UInt64, logger: Logger, ask: @escaping () -> Void, alive: @escaping () -> Void,
        ticks: @escaping () -> UInt64 = { EventLoop.nanoseconds }
    ) throws(UVError) {
        self.period = period
        self.logger = logger
        self.ask = ask
        self.alive = alive
        self.ticks = ticks
        timer = Timer(loop: loop) { [unowned self] in check() }
        // The first one at once: the manager's timeout may have started long ago.
        timer?.start(after: 0, every: period)
    }

    /// A period is over. Called by the timer.
    func check() {
        guard let asked else {
            asked = ticks()
            return ask()
        }
        let silent = Monotonic.elapsed(from: asked, to: ticks()) / 1_000_000
        guard silent >= period, !hasReported else { return }
        hasReported = true
        logger.error(
            "a worker has not responded for \(silent) ms; the service manager's watchdog is not notified")
    }

    /// Every loop has iterated since the check.
    func answered() {
        asked = nil
        hasReported = false
        alive()
    }

    /// Sends nothing more.
    func close() {
        timer?.close()
        timer = nil
    }
}
