import Admin
import EventLoop
import Relay
import Text

/// Starts and stops the upstream's command, and ends the process after its only connection or when it has been idle. On
/// the main thread.
final class Lifecycle {
    /// Actions of the owner.
    struct Hooks {
        /// The number of open connections.
        var openConnections: () -> Int
        /// Ends the process in order, for this reason.
        var stop: (String?) -> Void
    }

    // MARK: Fixed at init

    private let loop: EventLoop
    private let plan: LifecyclePlan
    private let hooks: Hooks

    // MARK: The main thread only

    private let command: UpstreamCommand?
    private var idle: IdleClock?
    private var idleTimer: Timer?
    private var isStopping = false
    /// The end of the only connection; nil before it.
    private var onlyEnd: EndReason?
    /// The command is being ended.
    private(set) var isEndingCommand = false

    /// Nil if the plan has nothing to watch.
    init?(
        _ plan: LifecyclePlan, loop: EventLoop, announcer: Announcer, service: RelayService, hooks: Hooks
    ) {
        guard plan.isActive else { return nil }
        self.plan = plan
        self.loop = loop
        self.hooks = hooks
        command = plan.command.map {
            UpstreamCommand(
                loop: loop, command: $0, idleStop: plan.idleStop.millisecondsRoundedUp, announcer: announcer,
                hooks: .init(
                    heldClients: { service.heldClients }, refuseHeldClients: { service.refuseHeldClients() }))
        }
        command?.openConnections = hooks.openConnections
        guard plan.exitIdle > .zero else { return }
        idle = IdleClock(limit: plan.exitIdle.millisecondsRoundedUp, now: loop.now)
        idleTimer = Timer(loop: loop) { [unowned self] in checkIdle(hasEnded: false) }
        checkIdle(hasEnded: false)
    }

    /// Why the process fails although it ends in order: its only connection failed. Nil otherwise.
    var failure: EndReason? {
        guard plan.isOnce, let onlyEnd, onlyEnd != .clientClosed, onlyEnd != .upstreamClosed else { return nil }
        return onlyEnd
    }

    /// The starts and the ends of the command; nil without one.
    var commandHistory: CommandHistory? { command?.history }

    // MARK: Events

    /// A client is held because its upstream is not up. Returns whether that starts the command, or needs no other report.
    func clientHeld() -> Bool {
        guard let command, !isStopping else { return false }
        command.clientHeld()
        return true
    }

    /// A connection has ended.
    func connectionEnded(_ record: ConnectionRecord) {
        command?.connectionEnded(wasServed: record.connectDuration != nil)
        if plan.isOnce, onlyEnd == nil {
            onlyEnd = record.end?.reason
            stop(nil)
        }
        checkIdle(hasEnded: true)
    }

    private func checkIdle(hasEnded: Bool) {
        guard var clock = idle, !isStopping else { return }
        let left = clock.read(open: hooks.openConnections(), hasEnded: hasEnded, now: loop.now)
        idle = clock
        switch left {
        case nil: idleTimer?.stop()
        case 0: stop("no connection for \(DurationText.text(of: plan.exitIdle))")
        case let left?: idleTimer?.start(after: left)
        }
    }

    /// `reason`: for a person; nil where the end of the only connection was reported.
    private func stop(_ reason: String?) {
        guard !isStopping else { return }
        hooks.stop(reason)
    }

    // MARK: Ending

    /// The process no longer accepts clients.
    func stopping() {
        isStopping = true
        idleTimer?.stop()
    }

    /// All connections have ended: ends the command. `done` is called once, perhaps before this returns.
    func end(within bound: Duration, then done: @escaping () -> Void) {
        guard let command, !isEndingCommand else { return done() }
        isEndingCommand = true
        command.end(within: bound.millisecondsRoundedUp) { [unowned self] in
            isEndingCommand = false
            done()
        }
    }

    /// Kills the command while it is being ended.
    func endNow() {
        command?.endNow()
    }

    /// Closes everything on the loop; a command that still runs is killed.
    func close() {
        command?.close()
        idleTimer?.close()
        idleTimer = nil
    }
}
