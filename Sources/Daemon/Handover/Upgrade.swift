import Admin
import EventLoop
import Glibc
import Logging
import Sockets
import Terminal
import Text

/// Starts another process that takes over from this one: the program's current file, with the same arguments and every
/// listening socket, so that no client is refused.
///
/// On the main thread. Until the other process reports that it is ready, this one continues as before; if it never
/// does, nothing else happens. Both write to the same standard error.
final class Upgrade {
    /// Actions of the owner.
    struct Hooks {
        /// Requests copies of the listening sockets, none numbered under this; `copied` follows.
        var copy: (Int32) -> Void
        /// The most listening sockets that there can be.
        var mostSockets: () -> Int
        /// The state that continues in the process: the number of its first connection, and what was started and
        /// stopped at run time.
        var continuing:
            () -> (
                firstID: UInt64?, recordings: [HandoverMessage.Recording],
                stoppedRecordings: [HandoverMessage.Recording]
            )
        /// The process is ready: stop accepting. The closure notifies it that it has taken over, and how it reaches this
        /// process and those before it.
        var handOver: (_ process: Int32, _ notify: ([Predecessor]) -> Void) -> Void
        /// The upgrade failed, and nothing has changed.
        var failed: () -> Void
        /// The time for connections that the process has accepted before it is terminated.
        var drain: () -> Duration
    }

    /// The sockets to hand over.
    struct Sockets: Sendable {
        var relays: [HandedSocket]
        var admin: [HandedSocket]

        /// `5 listeners and the admin API`. A listener has a socket for each worker, so addresses are counted.
        var words: String {
            let listeners = Set(relays.map(\.address)).count
            return Quantity.number(UInt64(listeners), "listener") + (admin.isEmpty ? "" : " and the admin API")
        }
    }

    /// The most time until the other process is ready, milliseconds. It takes about ten.
    private static let readyTimeout: UInt64 = 30_000
    /// The time for a terminated process to end, beyond that of its connections; milliseconds.
    private static let endTimeout: UInt64 = 5000
    /// The most time for its clients' connections, seconds.
    private static let longestDrain: Int64 = 60

    // MARK: Fixed at birth

    private let loop: EventLoop
    private let logger: Logger
    private let program: ProgramPath?
    private let hooks: Hooks
    /// Why there can be no upgrade; nil: there can.
    private let obstacle: () -> String?

    // MARK: The main thread only

    private var sequence = UpgradeSequence()
    private var child: ChildProcess?
    private var channel: HandoverChannel?
    private var timer: Timer?
    /// What is handed over, for the message.
    private var handed = ""
    /// The reason of a failure, for the message.
    private var reason = ""
    private var endedWell = false
    /// A process was started: its watch has ended the ignoring of SIGCHLD.
    private var hasWatchedChild = false

    /// Nothing happens until `ask`. `obstacle` returns why an upgrade would be wrong; it is called for each, because a
    /// reload may change the answer.
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

    /// Whether reloads have to wait.
    var isUnderWay: Bool { sequence.isUnderWay }

    // MARK: Events

    /// An upgrade is requested.
    func ask() {
        if let reason = obstacle() ?? obstacleOfTheProcess {
            logger.error("upgrade refused: \(reason)")
            return
        }
        take(.asked)
    }

    /// A container ends with its process 1.
    private var obstacleOfTheProcess: String? {
        if getpid() == 1 {
            return
                "this is process 1 of its container, which ends with it; start a container with the new version instead"
        }
        return program == nil ? "the path of this program could not be determined at startup (/proc)" : nil
    }

    /// The workers have copied their sockets.
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

    /// This process is stopping, and terminates the other one.
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
            if sequence.state == .idle { closeChild() }
        case .start:
            break
        case .refuse:
            let what = sequence.state == .over ? "another process has taken over" : "an upgrade is in progress"
            logger.warning("upgrade refused: \(what)", metadata: particulars)
        case .copy:
            reason = ""
            timer?.start(after: Self.readyTimeout)
            // The descriptors of the channel and of the message follow those of the sockets.
            hooks.copy(Inheritance.firstDescriptor + Int32(clamping: hooks.mostSockets() + 2))
        case .handOver:
            timer?.stop()
            guard let child else { return }
            hooks.handOver(child.id) { predecessors in
                for predecessor in predecessors { channel?.send(.predecessor(predecessor)) }
                channel?.send(.yours)
            }
        case .goOn:
            logger.error(
                "upgrade failed, this process continues: \(reason)", metadata: particulars)
            closeChild()
            hooks.failed()
        case .terminate:
            logger.error(
                """
                upgrade failed, this process continues: the new process was not ready within \(Self.readyTimeout / 1000) s \
                and was terminated
                """, metadata: particulars)
            terminate()
            hooks.failed()
        case .stopBoth:
            terminate()
        case .kill:
            child?.send(SIGKILL)
        case .reportEnd:
            ProcessSignals.reapChildren()
            logger.log(
                level: endedWell ? .notice : .error, "the process that took over has ended: \(reason)",
                metadata: particulars)
        }
    }

    private var particulars: Logger.Metadata {
        guard let child else { return [:] }
        return ["process": .stringConvertible(child.id)]
    }

    private func terminate() {
        child?.send(SIGTERM)
        // It accepts clients before it reports that it is ready, so it may have connections to finish. The time is
        // bounded, because it may hang, and it holds copies of every listening socket.
        let seconds = min(Self.longestDrain, max(0, hooks.drain().components.seconds)) + 1
        timer?.start(after: UInt64(seconds) * 1000 + Self.endTimeout)
    }

    /// Closes everything that is connected with the other process.
    private func closeChild() {
        timer?.stop()
        child?.close()
        child = nil
        // Needed also when the child is gone. Without any, the exit of another child (--exec) must not be ignored.
        if hasWatchedChild { ProcessSignals.reapChildren() }
        channel?.end()
        channel = nil
    }

    // MARK: Starting

    private func start(_ all: Sockets) throws {
        guard let program else { return }
        var parcels: [SocketParcel] = []
        var items: [HandoverMessage.Item] = []
        for (role, sockets) in [(HandoverMessage.Role.relay, all.relays), (.admin, all.admin)] {
            for socket in sockets {
                let number = Inheritance.firstDescriptor + Int32(items.count)
                items.append(HandoverMessage.Item(role, socket, descriptor: number))
                parcels.append(socket.parcel)
            }
        }
        handed = all.words
        let channelNumber = Inheritance.firstDescriptor + Int32(items.count)
        let lowest = channelNumber + 2
        let pair = try Socket.pair()
        guard let ours = pair.first.takeSocket(), let theirs = try pair.second.duplicate(from: lowest) else { return }
        let (firstID, recordings, stopped) = hooks.continuing()
        let content = HandoverMessage(
            channel: channelNumber, items: items, firstID: firstID, recordings: recordings, stoppedRecordings: stopped)
        let message = try MemoryFile(content.text, from: lowest)
        let descriptors = parcels.compactMap(\.descriptor) + [theirs.fd, message.fd]
        var environment = ProcessEnvironment.all
        // The watchdog's variable applies to this process only.
        if environment[Watchdog.processVariable] == "\(getpid())" { environment[Watchdog.processVariable] = nil }
        environment[Inheritance.variable] = "\(getpid()) \(channelNumber + 1)"
        hasWatchedChild = true
        channel = try HandoverChannel(loop: loop, socket: ours) { [unowned self] event in received(event) }
        // The copies must live until the other process has inherited them.
        child = try withExtendedLifetime((parcels, message)) {
            try ChildProcess(
                loop: loop, path: program.path, arguments: CommandLine.arguments, environment: environment,
                descriptors: descriptors
            ) { [unowned self] ending in ended(ending) }
        }
        logger.notice(
            "upgrade: started \(program.path) with \(handed); this process continues until it is ready",
            metadata: particulars)
    }

    private func ended(_ ending: ChildProcess.Ending) {
        endedWell = ending == .exited(0)
        reason = "it \(ending)" + (sequence.state == .starting ? " before it was ready; its own messages say why" : "")
        take(.ended)
    }

    private func received(_ event: HandoverChannel.Event) {
        switch event {
        // A process that died before this loop iteration is known to be dead: the loop delivers signals before socket
        // events.
        case .line(.ready): take(.ready)
        // The end of the process follows, with more information.
        case .line(.yours), .line(.predecessor), .gone: break
        }
    }

    /// Ends the watch. A process that has not taken over is left alone.
    func close() {
        closeChild()
        timer?.close()
        timer = nil
    }
}
