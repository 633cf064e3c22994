public import Configuration
internal import EventLoop
internal import Glibc
public import Logging
public import Recorder
public import Sockets
internal import Synchronization
internal import Text

/// The running workers of a configuration.
///
/// Made by the supervisor; any thread may use it. The supervisor drains or stops it and then joins it.
public final class RelayService: Sendable {
    /// A bound listener, with the actual port in place of port 0.
    public struct BoundListener: Hashable, Sendable {
        /// The relay's name.
        public let relay: String
        /// The address.
        public let address: SocketAddress
    }

    /// Settings for tests and special uses.
    public struct Tuning: Hashable, Sendable {
        /// The application's name in recordings.
        public var application = "tapline"
        /// A peer that acknowledges nothing for this long is dead; zero: never.
        public var deadPeerAfter: Duration = .seconds(60)
        /// The number of the first connection; a process that takes over continues the older one's.
        public var firstID: UInt64 = 1

        /// The settings of configured recordings that were stopped at run time, by relay: a recording with these
        /// settings does not start. Of the older process, as a reload keeps it.
        public var stoppedRecordings: [String: RecordSettings] = [:]

        /// The recording of all relays includes the encrypted bytes of TLS, and their keys.
        public var recordsEncrypted = false
        /// The value of `SSLKEYLOGFILE`; nil without it.
        public var keyLogPath: String?

        /// Only the first client is accepted; then every listener is closed.
        public var acceptsOnlyOne = false

        /// The defaults.
        public init() {}
    }

    let state: ServiceState
    let binding: ListenerBinding
    /// The bound listeners; changed by the supervisor's thread only.
    let bound: Mutex<BoundListeners>
    /// The configuration in force; changed by the supervisor's thread only.
    let inForce: Mutex<Configuration>
    private let threads: [LoopThread]

    private init(
        state: ServiceState, binding: ListenerBinding, bound: BoundListeners, configuration: Configuration,
        threads: [LoopThread]
    ) {
        self.state = state
        self.binding = binding
        self.bound = Mutex(bound)
        inForce = Mutex(configuration)
        self.threads = threads
    }

    /// Binds every listener that was not handed over by another process, starts the workers and accepts. Throws a
    /// `SystemError` with the address, the reason and what to do; then nothing is left behind.
    ///
    /// Sockets of the service manager that no relay wants throw `UnwantedSockets`, unless a previous tapline passed
    /// them on: then a changed configuration no longer uses them, as a reload may.
    public static func start(
        _ configuration: Configuration, observer: Observer, logger: Logger,
        recordingAllTo target: RecordingTarget? = nil, handedOver: [HandedSocket] = [], isSuccessor: Bool = false,
        tuning: Tuning = Tuning()
    ) throws -> RelayService {
        try OriginalDestination.checkMarks(configuration.relays)
        let workers = workerCount(configuration.workers)
        let limit = DescriptorLimit.raise()
        var system = SystemFacts.read()
        if configuration.loopbackCongestionControl == .system { system.loopbackCongestionControl = nil }

        let binding = ListenerBinding(workers: workers, system: system, logger: logger)
        let nothing = BoundListeners(handed: HandedAddress.grouping(handedOver))
        let listeners = try nothing.prepare(configuration, previousNames: [:], binding)
        do {
            try binding.checkUnwanted(listeners.unwanted, isSuccessor: isSuccessor)
        } catch {
            listeners.abandon()
            throw error
        }
        let registry = RecorderRegistry(application: tuning.application, logger: logger, report: observer.ended)
        func abandon() {
            listeners.abandon()
            registry.discardUnused()
            registry.finish(within: Self.flushTimeout)
        }
        let recordings: RecorderRegistry.Change
        do throws(SystemError) {
            recordings = try registry.prepare(
                configuration.relays, previousNames: [:], stopped: tuning.stoppedRecordings)
            if let target { try registry.recordAll(to: target, includesEncrypted: tuning.recordsEncrypted) }
        } catch {
            abandon()
            throw error
        }
        let keyLog = KeyLog(path: tuning.keyLogPath, logger: logger)
        let state = ServiceState(
            observer: observer, recordings: registry, keyLog: keyLog, system: system, workers: workers,
            descriptorLimit: limit,
            // Each loop has about five descriptors of its own.
            descriptorsInUse: DescriptorLimit.inUse() + 5 * workers,
            deadPeerAfter: tuning.deadPeerAfter.millisecondsRoundedUp, ids: ConnectionIDs(first: tuning.firstID),
            acceptsOnlyOne: tuning.acceptsOnlyOne)
        let threads: [LoopThread]
        do {
            threads = try startWorkers(workers, state, logger)
        } catch {
            abandon()
            throw error
        }
        registry.set(workers: workers, budget: state.descriptors) { state.post($0) }
        let service = RelayService(
            state: state, binding: binding, bound: nothing, configuration: configuration, threads: threads)
        service.commit(
            Change(configuration: configuration, previousNames: [:], listeners: listeners, recordings: recordings),
            generation: 1, drain: .zero)
        return service
    }

    /// How long to wait for the last bytes of recordings, and for those of the key log, milliseconds.
    private static let flushTimeout: UInt64 = 4000

    private static func startWorkers(
        _ count: Int, _ state: ServiceState, _ logger: Logger
    ) throws(SystemError) -> [LoopThread] {
        var threads: [LoopThread] = []
        var mailboxes: [Mailbox<WorkerCommand>] = []
        do {
            for number in 0..<count {
                let (thread, mailbox) = try LoopThread.start(name: "worker-\(number)") { loop in
                    try Worker(number: number, loop: loop, shared: state, logger: logger).openMailbox()
                }
                threads.append(thread)
                mailboxes.append(mailbox)
            }
        } catch {
            for mailbox in mailboxes { mailbox.post(.stop) }
            for thread in threads { thread.join() }
            throw SystemError("start \(count) workers", (error as? UVError)?.errno ?? Errno(EAGAIN))
        }
        state.set(mailboxes: mailboxes)
        return threads
    }

    /// By default one worker for each core that the process may run on.
    private static func workerCount(_ count: WorkerCount) -> Int {
        switch count {
        case .exactly(let number): number
        case .automatic: min(WorkerCount.most, max(1, EventLoop.availableCores))
        }
    }

    // MARK: Asking

    /// Every listener, in the order of the configuration.
    public var listeners: [BoundListener] {
        bound.withLock { bound in
            bound.entries.map { BoundListener(relay: $0.relay, address: $0.address) }
        }
    }

    /// The number of open connections.
    public var openConnections: Int { state.openConnections }

    /// The number of open connections whose client is held until the upstream is up (`timeouts.wait`).
    public var heldClients: Int { state.heldClients }

    /// Copies of the records of all open connections, from every worker.
    public func connections() async -> [ConnectionRecord] {
        await answers { .list($0) }.flatMap(\.self).sorted { $0.id < $1.id }
    }

    /// The state of every open connection, from every worker, by id. `kernel`: with the kernel's view of each socket,
    /// which costs the workers about 5 µs per connection.
    public func liveConnections(kernel: Bool) async -> [LiveConnection] {
        await answers { .look(only: nil, kernel: kernel, $0) }.flatMap(\.self).sorted { $0.record.id < $1.record.id }
    }

    /// The state of one open connection, with the kernel's view of its sockets; nil if no open connection has this id.
    public func liveConnection(_ id: UInt64) async -> LiveConnection? {
        await answers { .look(only: id, kernel: true, $0) }.lazy.flatMap(\.self).first
    }

    /// The record of an ended connection that is not reported yet, because the recording does not have all its bytes;
    /// its counts of recorded and dropped bytes may still change. Any thread.
    public func pendingRecord(_ id: UInt64) -> ConnectionRecord? { state.recordings.pending.record(of: id) }

    /// The counters of every relay since the start, by name, including relays that were removed or renamed. They never
    /// decrease, even while workers end one after the other.
    public func stats() async -> [String: RelayStats] {
        var workers: [Int: [String: RelayStats]] = [:]
        for (worker, stats) in await answers(to: { .stats($0) }) { workers[worker] = stats }
        // Workers that had ended before do not answer; those that answered may have ended since.
        workers.merge(state.retiredStats) { answer, _ in answer }
        var stats: [String: RelayStats] = workers.values.reduce(into: [:]) { all, worker in
            all.merge(worker) { first, second in
                var sum = first
                sum.add(second)
                return sum
            }
        }
        for (relay, total) in state.recordings.totals {
            stats[relay, default: RelayStats()].recordedBytes = total.recorded
            stats[relay, default: RelayStats()].droppedBytes = total.dropped
        }
        return stats
    }

    /// Waits until every worker's loop has turned once; ended workers count as well. Never returns if one hangs: the
    /// caller needs a deadline.
    public func pulse() async {
        _ = await answers { .ping($0) }
    }

    /// The number of workers.
    public var workers: Int { binding.workers }

    /// The process's limit of descriptors, as raised at the start.
    public var descriptorLimit: Int { state.descriptorLimit }

    /// Whether accepted clients are reported to the observer; off at the start. Costs a record for each. Any thread.
    public var reportsOpenings: Bool {
        get { state.reportsOpenings }
        set { state.reportsOpenings = newValue }
    }

    /// Ends one connection (`killed`). Returns whether it was open.
    public func kill(_ id: UInt64) async -> Bool {
        await answers { .kill(id, $0) }.contains(true)
    }

    /// Ends every connection whose client is held, with the reason of its last attempt.
    public func refuseHeldClients() {
        state.post(.refuseHeld)
    }

    /// Posts a command to every worker that has not ended, and waits for all their answers.
    func answers<Answer: Sendable>(
        to question: (@escaping @Sendable (Answer) -> Void) -> WorkerCommand
    ) async -> [Answer] {
        let (stream, continuation) = AsyncStream.makeStream(of: Answer.self)
        let asked = state.post(question { continuation.yield($0) })
        guard asked > 0 else { return [] }
        var answers: [Answer] = []
        for await answer in stream {
            answers.append(answer)
            if answers.count == asked { break }
        }
        return answers
    }

    // MARK: Ending

    /// The program failed to start after the service had started: removes the recordings that contain no connection.
    /// `stop` and `join` follow.
    public func discardUnusedRecordings() {
        state.recordings.discardUnused()
    }

    /// Stops accepting and lets open connections finish; connections that are still open at the bound are reset
    /// (`drained`).
    public func drain(within bound: Duration) {
        state.post(.drain(bound.millisecondsRoundedUp))
    }

    /// Resets everything now (`drained`); end records are still made.
    public func stop() {
        state.post(.stop)
    }

    /// After `drain` or `stop`: waits for the workers' threads, ends the recordings and the key log, and removes the
    /// socket files.
    public func join() {
        for thread in threads { thread.join() }
        state.recordings.finish(within: Self.flushTimeout)
        state.keyLog.finish(within: Self.flushTimeout)
        bound.withLock { $0.removeFiles() }
    }

    // MARK: Upgrade

    /// Copies of every listening socket for another process: those that the workers serve, and those of the service manager
    /// that no relay listens on; each socket once, and none numbered under `lowest`. No configuration may be applied before
    /// this returns. It never returns if a worker hangs: the caller needs a deadline.
    public func copyListeners(from lowest: Int32) async throws(SystemError) -> [HandedSocket] {
        let (entries, kept) = bound.withLock { ($0.entries, $0.handed) }
        var known: Set<UInt64> = []
        var all: [HandedSocket] = []
        do throws(Errno) {
            for answer in await answers(to: { WorkerCommand.copyListeners(from: lowest, $0) }) {
                for copy in try answer.get() {
                    guard let entry = entries.first(where: { $0.address == copy.address }),
                        copy.cookie.map({ known.insert($0).inserted }) ?? true, let socket = copy.socket.takeSocket()
                    else { continue }
                    let label = entry.relay
                    let origin = entry.source == .manager ? .manager : HandedSocket.Origin.process(file: entry.file)
                    if let handed = HandedSocket(socket, label: label, origin: origin) { all.append(handed) }
                }
            }
            let served = Set(entries.map(\.address))
            for address in kept where !served.contains(address.address) {
                for parcel in address.sockets {
                    guard let socket = try parcel.duplicate(from: lowest) else { continue }
                    let handed = HandedSocket(socket, label: address.label, origin: .manager)
                    if let handed { all.append(handed) }
                }
            }
        } catch {
            throw SystemError("copy the listening sockets for another process", error)
        }
        return all
    }

    /// Keeps connection numbers for a process that may take over, and returns the first of them: both accept clients for
    /// a moment, and no number may occur twice. On the supervisor's thread.
    public func reserveIDs() -> UInt64 { state.reserveIDs() }

    /// The number of the last accepted connection; nil before the first. Any thread.
    public var lastID: UInt64? { state.lastID }

    /// Whether a connection may have had the number: in this process, in an older one, or in one that it has started.
    /// Any thread.
    public func mayHaveAccepted(_ id: UInt64) -> Bool { state.mayHaveTaken(id) }

    /// The number of listening sockets of all workers.
    public var mostListeningSockets: Int {
        bound.withLock {
            $0.entries.reduce(0) { $0 + $1.sockets } + $0.handed.reduce(0) { $0 + $1.sockets.count }
        }
    }

    /// Another process serves the sockets from now on: stops accepting, leaves it the files of Unix sockets, and lets open
    /// connections finish; connections that are still open at the bound are reset (`drained`).
    public func leave(within bound: Duration) {
        self.bound.withLock { $0.disownFiles() }
        drain(within: bound)
    }

    /// The former process no longer uses the sockets that it handed over: this process owns their files from now on.
    public func ownHandedFiles() {
        bound.withLock { $0.ownHandedFiles() }
    }
}
