import EventLoop
import Logging
import Sockets

/// Tells the service manager how Tapline fares (sd_notify(3)): ready, reloading, stopping, alive, and a line of status.
/// Does nothing where there is none.
///
/// On the main thread. Silent until `begin`: while a tapline before this one still is the service's main process, the
/// manager would take no word of this one.
final class ServiceManager {
    /// How often the line of status is looked at, milliseconds.
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

    /// By what the environment says.
    init(_ environment: [String: String], logger: Logger) {
        self.environment = environment
        self.logger = logger
        let name = environment[NotifySocket.variable]
        socket = name.flatMap { NotifySocket($0) }
        if let name, socket == nil {
            logger.warning("NOTIFY_SOCKET is `\(name)`, which is no Unix socket: the service manager hears nothing")
        }
    }

    // MARK: The service

    /// Clients are accepted, and this is the service's main process. From now on `askFigures` and `askPulse` are called
    /// now and then, and answered with `figures` and `pulsed`.
    func begin(on loop: EventLoop, askFigures: @escaping () -> Void, askPulse: @escaping () -> Void) throws {
        guard socket != nil, !isMain else { return }
        isMain = true
        tell("READY=1")
        let status = Timer(loop: loop) { askFigures() }
        self.status = status
        status.start(after: 0, every: Self.statusPeriod)
        if let period = Watchdog.period(in: environment) {
            watchdog = try Watchdog(
                loop: loop, period: period, logger: logger, ask: askPulse,
                alive: { [unowned self] in tell("WATCHDOG=1") })
        }
    }

    /// A reload begins.
    func reloading() {
        // The manager orders it by this clock (sd_notify(3), MONOTONIC_USEC=).
        tell("RELOADING=1\nMONOTONIC_USEC=\(EventLoop.nanoseconds / 1000)")
    }

    /// It is over, one way or the other.
    func reloaded() {
        tell("READY=1")
    }

    /// Nobody is accepted any more.
    func stopping() {
        tell("STOPPING=1\nSTATUS=draining")
        status?.stop()
    }

    /// Another process is the service from now on; it will speak for itself.
    func leave(to process: Int32) {
        tell("MAINPID=\(process)")
        close()
    }

    // MARK: Answers

    /// Every worker's loop has turned.
    func pulsed() {
        watchdog?.answered()
    }

    /// What the counters say.
    func figures(_ look: StatusLine.Look, generation: Int, wasRejected: Bool) {
        let next = line.next(look, generation: generation, wasRejected: wasRejected)
        guard next != lastLine else { return }
        lastLine = next
        tell("STATUS=" + next)
    }

    // MARK: Telling

    private func tell(_ lines: String) {
        guard let socket, isMain else { return }
        do {
            try socket.send(lines)
            hasFailed = false
        } catch {
            if !hasFailed {
                logger.warning("the service manager cannot be told", metadata: ["error": "\(error) (\(error.name))"])
            }
            hasFailed = true
        }
    }

    /// Says nothing more.
    func close() {
        isMain = false
        status?.close()
        status = nil
        watchdog?.close()
        watchdog = nil
    }
}
