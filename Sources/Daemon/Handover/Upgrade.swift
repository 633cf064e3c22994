import EventLoop
import Glibc
import Logging
import Sockets
import Terminal

/// Lets another process take this one's place: the same program, as it lies on the disk by now, with the same arguments
/// and with every listening socket, so that no client is refused.
///
/// On the main thread. Until the other process says that it is ready this one goes on as before, and if it never does,
/// that is all that happens. What it writes to standard error is where this process's own lines go.
final class Upgrade {
    /// What the owner does for it.
    struct Hooks {
        /// Has the listening sockets copied, none numbered under this; `copied` or `failed` follows.
        var copy: (Int32) -> Void
        /// How many listening sockets there are at most.
        var mostSockets: () -> Int
        /// The process is ready: accept no more. The closure that is given tells it that all is its own.
        var handOver: (_ process: Int32, _ tell: () -> Void) -> Void
        /// It failed, and everything is as before.
        var failed: () -> Void
        /// How long connections may take that the process has accepted before it was told to end.
        var drain: () -> Duration
    }

    /// What goes along.
    struct Sockets: Sendable {
        var relays: [HandedSocket]
        var admin: [HandedSocket]
    }

    /// How long the other process may take until it is ready; milliseconds. It takes some ten.
    private static let patience: UInt64 = 30_000
    /// How long a process may take to end that was told to, beyond the bound of its connections; milliseconds.
    private static let patienceWithEnd: UInt64 = 5000
    /// How long it may finish its clients' connections at most. Seconds.
    private static let mostPatienceWithEnd: Int64 = 60

    // MARK: Fixed at birth

    private let loop: EventLoop
    private let logger: Logger
    private let program: ProgramPath?
    private let hooks: Hooks
    /// Why there can be none; nil: there can.
    private let obstacle: () -> String?

    // MARK: The main thread only

    private var sequence = UpgradeSequence()
    private var child: ChildProcess?
    private var channel: HandoverChannel?
    private var timer: Timer?
    private var sockets = 0
    /// What went wrong, for the message.
    private var reason = ""
    private var endedWell = false

    /// Nothing happens until `ask`. `obstacle` returns why an upgrade would be wrong, and is
    /// called for each: a reload may change it.
    init(
        loop: EventLoop, program: ProgramPath?, logger: Logger, obstacle: @escaping () -> String?, hooks: Hooks
    ) throws {
        self.loop = loop
        self.logger = logger
        self.obstacle = obstacle
        self.hooks = hooks
        self.program = program
        timer = Timer(loop: loop) { [unowned self] in late() }
    }

    /// Whether the configuration has to stay as it is for a moment.
    var isUnderWay: Bool { sequence.isUnderWay }

    // MARK: Events

    /// An upgrade is requested.
    func ask() {
        if let reason = obstacle() ?? obstacleOfTheProcess {
            logger.error("no upgrade: \(reason)")
            return
        }
        take(.asked)
    }

    /// As process 1 of a container this process's end is that of all its processes.
    private var obstacleOfTheProcess: String? {
        if getpid() == 1 {
            return
                "this is process 1 of its container, which ends with it; start a container with the other version instead"
        }
        return program == nil ? "at the start it could not be found out where this program lies (/proc)" : nil
    }

    /// The workers have answered.
    func copied(_ result: Result<Sockets, SystemError>) {
        guard sequence.state == .copying else { return }
        do {
            let sockets = try result.get()
            guard take(.copied) == .start else { return }
            try start(sockets)
        } catch {
            fail("\(error)")
        }
    }

    /// This process was asked to stop, and the other one stops with it.
    func stop() {
        take(.stopping)
    }

    private func late() {
        if sequence.state == .copying { reason = "a worker did not answer" }
        take(.late)
    }

    private func fail(_ reason: String) {
        self.reason = reason
        take(.failed)
    }

    @discardableResult
    private func take(_ event: UpgradeSequence.Event) -> UpgradeSequence.Action {
        let action = sequence.handle(event)
        carryOut(action)
        return action
    }

    private func carryOut(_ action: UpgradeSequence.Action) {
        switch action {
        case .none:
            if sequence.state == .idle { letGo() }
        case .start:
            break
        case .refuse:
            let what = sequence.state == .over ? "another process has taken over" : "one is under way"
            logger.warning("no further upgrade: \(what)", metadata: particulars)
        case .copy:
            reason = ""
            timer?.start(after: Self.patience)
            // The channel and the letter come behind the sockets.
            hooks.copy(Inheritance.firstDescriptor + Int32(clamping: hooks.mostSockets() + 2))
        case .handOver:
            timer?.stop()
            guard let child else { return }
            hooks.handOver(child.id) { channel?.say(.yours) }
        case .goOn:
            logger.error(
                "upgrade failed, this process goes on: \(reason)", metadata: particulars)
            letGo()
            hooks.failed()
        case .dismiss:
            logger.error(
                """
                upgrade failed, this process goes on: the other one was not ready within \(Self.patience / 1000) s \
                and is ended
                """, metadata: particulars)
            dismiss()
            hooks.failed()
        case .stopBoth:
            dismiss()
        case .kill:
            child?.send(SIGKILL)
        case .mourn:
            ProcessSignals.reapChildren()
            logger.log(
                level: endedWell ? .notice : .error, "the process that took over is gone: \(reason)",
                metadata: particulars)
        }
    }

    private var particulars: Logger.Metadata {
        guard let child else { return [:] }
        return ["process": "\(child.id)"]
    }

    private func dismiss() {
        child?.send(SIGTERM)
        // It accepts clients before it says that it is ready, and has connections to finish like any other.
        // Not for longer than this, for it may hang, and holds copies of every listening socket.
        let seconds = min(Self.mostPatienceWithEnd, max(0, hooks.drain().components.seconds)) + 1
        timer?.start(after: UInt64(seconds) * 1000 + Self.patienceWithEnd)
    }

    /// The other process is gone, or on its own.
    private func letGo() {
        timer?.stop()
        child?.close()
        child = nil
        // Also where no child came to be: the watch of its end has ended the ignoring of SIGCHLD.
        ProcessSignals.reapChildren()
        channel?.end()
        channel = nil
    }

    // MARK: Starting

    private func start(_ all: Sockets) throws {
        guard let program else { return }
        var parcels: [SocketParcel] = []
        var items: [HandoverLetter.Item] = []
        for (role, sockets) in [(HandoverLetter.Role.relay, all.relays), (.admin, all.admin)] {
            for socket in sockets {
                let number = Inheritance.firstDescriptor + Int32(items.count)
                items.append(HandoverLetter.Item(role, socket, descriptor: number))
                parcels.append(socket.parcel)
            }
        }
        sockets = items.count
        let channelNumber = Inheritance.firstDescriptor + Int32(items.count)
        let lowest = channelNumber + 2
        let pair = try Socket.pair()
        guard let ours = pair.first.take(), let theirs = try pair.second.duplicate(from: lowest) else { return }
        let letter = try MemoryFile(HandoverLetter(channel: channelNumber, items: items).text, from: lowest)
        let descriptors = parcels.compactMap(\.descriptor) + [theirs.fd, letter.fd]
        var environment = ProcessEnvironment.all
        // The watchdog's variable is for this process only.
        if environment[Watchdog.processVariable] == "\(getpid())" { environment[Watchdog.processVariable] = nil }
        environment[Inheritance.variable] = "\(getpid()) \(channelNumber + 1)"
        channel = try HandoverChannel(loop: loop, socket: ours) { [unowned self] event in heard(event) }
        // The copies live until the other process has its own.
        child = try withExtendedLifetime((parcels, letter)) {
            try ChildProcess(
                loop: loop, path: program.path, arguments: CommandLine.arguments, environment: environment,
                descriptors: descriptors
            ) { [unowned self] ending in ended(ending) }
        }
        logger.notice(
            "upgrade: started \(program.path) with \(sockets) listening sockets; this process goes on until it is ready",
            metadata: particulars)
    }

    private func ended(_ ending: ChildProcess.Ending) {
        endedWell = ending == .exited(0)
        reason = "it \(ending)" + (sequence.state == .starting ? " before it was ready; its own lines say why" : "")
        take(.ended)
    }

    private func heard(_ event: HandoverChannel.Event) {
        switch event {
        // One that has died before this turn is known to have: the loop tells of signals before it tells of sockets.
        case .word(.ready): take(.ready)
        // Its end tells more, and follows.
        case .word(.yours), .gone: break
        }
    }

    /// Watches nothing any more. A process that has not taken over is on its own.
    func close() {
        letGo()
        timer?.close()
        timer = nil
    }
}
