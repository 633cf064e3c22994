import EventLoop
import Logging
import Sockets

/// Notifies the service manager (sd_notify(3)): ready, reloading, stopping, watchdog, and a status line. Does nothing
/// without one.
///
/// On the main thread. Silent until `begin`: while an older tapline is the service's main process, the manager ignores
/// messages of this one.
final class ServiceManager {
    /// The period of the status line, milliseconds.
    private static let statusPeriod: UInt64 = 5000

    private let socket: NotifySocket?
    private let environment: [String: String]
    private let logger: Logger
    private var isMain = false
    private var hasFailed = false
    private var status: Timer?
    private var watchdog: Watchdog?
    private var line = StatusLine()
    private var lastLine = ""

    /// For the socket in the environment.
    init(_ environment: [String: String], logger: Logger) {
        self.environment = environment
        self.logger = logger
        let name = environment[NotifySocket.variable]
        socket = name.flatMap { NotifySocket($0) }
        if let name, socket == nil {
            logger.warning(
                "NOTIFY_SOCKET is `\(name)`, which is not a Unix socket: the service manager is not notified")
        }
    }

    // MARK: The service

    /// Clients are accepted, and this is the service's main process. From now on `askStats` and `askPulse` are called
    /// periodically, and answered by `stats` and `pulsed`.
    func begin(on loop: EventLoop, askStats: @escaping () -> Void, askPulse: @escaping () -> Void) throws {
        guard socket != nil, !isMain else { return }
        isMain = true
        notify("READY=1")
        let status = Timer(loop: loop) { askStats() }
        self.status = status
        status.start(after: 0, every: Self.statusPeriod)
        if let period = Watchdog.period(in: environment) {
            watchdog = try Watchdog(
                loop: loop, period: period, logger: logger, ask: askPulse,
                alive: { [unowned self] in notify("WATCHDOG=1") })
        }
    }

    /// A reload begins.
    func reloading() {
        // The manager orders reloads by this clock (sd_notify(3), MONOTONIC_USEC=).
        notify("RELOADING=1\nMONOTONIC_USEC=\(EventLoop.nanoseconds / 1000)")
    }

    /// A reload is over, successful or not.
    func reloaded() {
        notify("READY=1")
    }

    /// No further clients are accepted.
    func stopping() {
        notify("STOPPING=1\nSTATUS=draining")
        status?.stop()
    }

    /// Another process is the main process from now on, and sends its own notifications.
    func leave(to process: Int32) {
        notify("MAINPID=\(process)")
        close()
    }

    // MARK: Answers

    /// Every worker's loop has iterated.
    func pulsed() {
        watchdog?.answered()
    }

    /// The current counters.
    func stats(_ sample: StatusLine.Sample, generation: Int, wasRejected: Bool) {
        let next = line.next(sample, generation: generation, wasRejected: wasRejected)
        guard next != lastLine else { return }
        lastLine = next
        notify("STATUS=" + next)
    }

    // MARK: Telling

    private func notify(_ lines: String) {
        guard let socket, isMain else { return }
        do {
            try socket.send(lines)
            hasFailed = false
        } catch {
            if !hasFailed {
                logger.warning(
                    "the service manager cannot be notified", metadata: ["error": "\(error) (\(error.name))"])
            }
            hasFailed = true
        }
    }

    /// Sends nothing more.
    func close() {
        isMain = false
        status?.close()
        status = nil
        watchdog?.close()
        watchdog = nil
    }
}
