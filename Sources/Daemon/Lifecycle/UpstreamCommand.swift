import Admin
import EventLoop
import Glibc
import Logging
import Sockets
import Terminal
import Text

/// Runs the upstream's command (`--exec`) while clients need it. On the main thread.
///
/// The command leads its own process group: Ctrl-C in the terminal reaches only this process, which then ends the group.
/// `GroupGuard` ends it if this process is killed. No process of a group outlives it by more than the grace: another
/// start waits for that, because a process that is left may keep the port.
final class UpstreamCommand {
    /// Actions of the owner.
    struct Hooks {
        /// The number of clients that wait for the upstream.
        var heldClients: () -> Int
        /// Ends their connections.
        var refuseHeldClients: () -> Void
    }

    /// Times, milliseconds.
    struct Terms {
        /// From SIGTERM to SIGKILL when the command is stopped because it is idle, or has failed and left processes.
        var grace: UInt64 = 10_000
        /// A command that ran at least this long was up.
        var longRun: UInt64 = 10_000
    }

    /// How often the rest of a group is looked for after its leader has ended. Milliseconds.
    private static let groupCheckPeriod: UInt64 = 50
    /// The same while what it left in the background serves clients.
    private static let backgroundCheckPeriod: UInt64 = 1000

    // MARK: Fixed at init

    private let loop: EventLoop
    private let text: String
    /// The command in messages: one short line.
    private let name: String
    private let idleStop: UInt64
    private let announcer: Announcer
    private let terms: Terms
    private let hooks: Hooks
    /// When it was started and how it ended, for the stories of connections.
    let history: CommandHistory

    // MARK: The main thread only

    private var sequence = CommandSequence()
    private var idle: IdleClock?
    private var process: ChildProcess?
    private var group: ProcessGroup?
    private var guardian: GroupGuard?
    private var startedAt: UInt64 = 0
    /// The leader has ended, and the rest of its group has not.
    private var isLeaderless = false
    /// The leader exited with status 0, and what it left in the background was reported.
    private var isInBackground = false
    /// When the leader ended by itself.
    private var exit = CommandSequence.Exit.early
    private var grace: Timer?
    private var pause: Timer?
    private var idleTimer: Timer?
    private var groupTimer: Timer?
    /// Milliseconds from SIGTERM to SIGKILL at the end of this process.
    private var endGrace: UInt64 = 0
    private var done: (() -> Void)?

    /// Nothing runs until a client is held. `idleStop` in milliseconds; 0: the command is not stopped when idle.
    init(
        loop: EventLoop, command: String, idleStop: UInt64, announcer: Announcer, terms: Terms = Terms(), hooks: Hooks
    ) {
        self.loop = loop
        text = command
        name = Self.name(of: command)
        history = CommandHistory(command: name)
        self.idleStop = idleStop
        self.announcer = announcer
        self.terms = terms
        self.hooks = hooks
        grace = Timer(loop: loop) { [unowned self] in take(.graceOver) }
        pause = Timer(loop: loop) { [unowned self] in take(.pauseOver(isWanted: isWanted)) }
        groupTimer = Timer(loop: loop) { [unowned self] in checkGroup() }
        idleTimer = Timer(loop: loop) { [unowned self] in checkIdle(hasEnded: false) }
    }

    /// The number of open connections, for the idle clock.
    var openConnections: () -> Int = { 0 }

    /// The first line of a command, shortened.
    static func name(of command: String) -> String {
        let text = command.drop { $0.isWhitespace }
        let short = text.prefix { !$0.isNewline }.prefix(60)
        let rest = text.dropFirst(short.count)
        return rest.allSatisfy(\.isWhitespace) ? String(short) : short + "…"
    }

    private var isWanted: Bool { hooks.heldClients() > 0 }
    private var title: String { "\(name) (pid \(group?.id ?? 0))" }
    private var particulars: Logger.Metadata { ["process": .stringConvertible(group?.id ?? 0)] }

    // MARK: Events

    /// A client found that the upstream is not up, and is held.
    func clientHeld() {
        take(.clientHeld)
    }

    /// A connection has ended. `wasServed`: it was connected to the upstream.
    func connectionEnded(wasServed: Bool) {
        if wasServed { take(.served) }
        checkIdle(hasEnded: true)
    }

    /// This process ends: SIGTERM for the group, and SIGKILL for what is left after `milliseconds`. `done` is called once,
    /// perhaps before this returns.
    func end(within milliseconds: UInt64, then done: @escaping () -> Void) {
        self.done = done
        endGrace = milliseconds
        idleTimer?.stop()
        take(.end)
    }

    /// Ends it at once.
    func endNow() {
        take(.end)
    }

    private func checkIdle(hasEnded: Bool) {
        guard var clock = idle, sequence.state == .running else { return }
        let left = clock.read(open: openConnections(), hasEnded: hasEnded, now: loop.now)
        idle = clock
        switch left {
        case nil: idleTimer?.stop()
        case 0: take(.idleTooLong)
        case let left?: idleTimer?.start(after: left)
        }
    }

    /// Reports an event of the command; on a terminal with its time.
    private func announce(_ message: String, particulars: Logger.Metadata = [:]) {
        announcer.announce(message, particulars: particulars, hasTime: true)
    }

    private func take(_ event: CommandSequence.Event) {
        carryOut(sequence.handle(event))
    }

    private func carryOut(_ action: CommandSequence.Action) {
        switch action {
        case .none:
            break
        case .start:
            start()
        case .pause(let milliseconds):
            pause?.start(after: milliseconds)
            announceRestart(after: milliseconds)
        case .refuse(let milliseconds):
            announcer.fail(
                "the --exec command ended \(CommandSequence.mostStarts) times before the upstream was up: "
                    + "\(Quantity.number(UInt64(hooks.heldClients()), "waiting client")) refused; the next client starts it "
                    + "again")
            hooks.refuseHeldClients()
            pause?.start(after: milliseconds)
        case .terminate:
            terminate()
        case .kill:
            kill()
        case .done:
            let done = done
            self.done = nil
            done?()
        }
    }

    // MARK: Starting

    private func announceRestart(after milliseconds: UInt64) {
        let waiting = hooks.heldClients()
        guard sequence.state == .pausing(isWanted: true), waiting > 0 else { return }
        announce(
            "restarting \(name) in \(DurationText.text(of: .milliseconds(Int64(clamping: milliseconds)))): "
                + "\(Quantity.number(UInt64(waiting), "client")) held, and the upstream is not up")
    }

    private func start() {
        startedAt = loop.now
        isLeaderless = false
        isInBackground = false
        exit = .early
        idle = idleStop > 0 ? IdleClock(limit: idleStop, now: loop.now) : nil
        do {
            let process = try ChildProcess(
                loop: loop, path: "/bin/sh", arguments: ["sh", "-c", text], environment: ProcessEnvironment.all,
                descriptors: [],
                // Standard output belongs to end records and recordings.
                streams: .init(input: .null, output: .descriptor(STDERR_FILENO)), ownsGroup: true
            ) { [unowned self] in leaderEnded($0) }
            self.process = process
            let group = ProcessGroup(leader: process.id)
            self.group = group
            history.started(process.id)
            announce("started: \(title)", particulars: particulars)
            do {
                guardian = try GroupGuard(loop: loop, group: group)
            } catch {
                announcer.fail("\(title) will not be stopped if Tapline is killed: \(error)")
            }
        } catch {
            announcer.fail("--exec: \(error)")
            history.failed("could not be started: \(error)")
            take(.exited(.early, isWanted: isWanted))
        }
    }

    // MARK: Its end

    private func leaderEnded(_ ending: ChildProcess.Ending) {
        process = nil
        isLeaderless = true
        history.ended("\(ending)")
        guard !sequence.isToEnd, let group else { return checkGroup() }
        announce("\(title) \(ending)", particulars: particulars)
        exit = loop.now &- startedAt >= terms.longRun ? .late : .early
        group.reap()
        if group.isEmpty {
            groupEnded()
        } else if ending == .exited(0) {
            // What it put into the background may be the upstream. Processes that are ending just now are not reported.
            groupTimer?.start(after: Self.groupCheckPeriod)
        } else {
            take(.leaderFailed)
        }
    }

    private func terminate() {
        var milliseconds = terms.grace
        switch sequence.state {
        case .ending:
            milliseconds = endGrace
        case .clearing:
            announce("stopping the processes that \(title) left running", particulars: particulars)
        default:
            announce(
                "no connection for \(DurationText.text(of: .milliseconds(Int64(clamping: idleStop)))); stopping \(title)",
                particulars: particulars)
        }
        idleTimer?.stop()
        group?.send(SIGTERM)
        grace?.start(after: milliseconds)
        checkGroup()
    }

    private func kill() {
        guard let group else { return }
        if isLeaderless {
            announce(
                "the processes that \(title) left running did not exit on SIGTERM and were killed",
                particulars: particulars)
        } else {
            announce("\(title) did not exit on SIGTERM and was killed", particulars: particulars)
        }
        group.send(SIGKILL)
        if isLeaderless { groupEnded() }
    }

    /// The processes that the leader started may take longer than it.
    private func checkGroup() {
        guard isLeaderless, let group else { return }
        group.reap()
        if group.isEmpty {
            groupEnded()
        } else if sequence.state == .running {
            if !isInBackground {
                isInBackground = true
                announce(
                    "processes that \(title) started are still running; Tapline stops them when it exits",
                    particulars: particulars
                )
            }
            groupTimer?.start(after: Self.backgroundCheckPeriod)
        } else {
            groupTimer?.start(after: Self.groupCheckPeriod)
        }
    }

    private func groupEnded() {
        isLeaderless = false
        grace?.stop()
        groupTimer?.stop()
        if isInBackground, sequence.state == .running {
            announce("the processes that \(title) started have ended", particulars: particulars)
        }
        closeGroup()
        take(.exited(exit, isWanted: isWanted))
    }

    private func closeGroup() {
        guardian?.close()
        guardian = nil
        group = nil
        // The watches of the two processes have ended the ignoring of SIGCHLD.
        ProcessSignals.reapChildren()
    }

    /// Ends everything at once: the process is about to end.
    func close() {
        if let group { group.send(SIGKILL) }
        process?.close()
        process = nil
        guardian?.close()
        guardian = nil
        for timer in [grace, pause, idleTimer, groupTimer] { timer?.close() }
    }
}
