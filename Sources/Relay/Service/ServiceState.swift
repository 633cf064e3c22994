internal import Configuration
internal import EventLoop
internal import Glibc
internal import Logging
internal import Sockets
internal import Synchronization

/// The state that all workers share: budgets, connection ids, facts of the system. Any thread: it is immutable, atomic
/// or locked.
final class ServiceState: Sendable {
    // MARK: Fixed at birth

    let observer: Observer
    let recordings: RecorderRegistry
    let keyLog: KeyLog
    let system: SystemFacts
    /// The number of workers.
    let workers: Int
    let pipes: PipeAllowance
    /// The addresses of intercepting relays' connections, accepted and opened.
    let interceptedPaths = InterceptedPaths()
    /// When free memory may be returned to the system.
    let idleMemory = IdleMemory()
    /// Descriptors that connections and pipes may take.
    let descriptors: Budget
    /// A peer that acknowledges nothing for this long is dead. Milliseconds; 0: never.
    let deadPeerAfter: UInt64
    /// The process's limit of descriptors.
    let descriptorLimit: Int
    /// The one unit that accepting a client takes for good; nil: any number of clients is accepted.
    let onlyClient: Budget?
    private let wakes: WorkerMailboxes
    /// Distinguishes this process from all others, in the unique ids of connections.
    private let token = String(UInt64.random(in: .min ... .max), radix: 16)

    // MARK: Any thread

    private let ids: ConnectionIDs
    private let open = Atomic<Int>(0)
    /// Clients that wait for their upstream to come up.
    private let held = Atomic<Int>(0)
    private let runningWorkers: Atomic<Int>
    private let ownListeners = Mutex(OwnListeners())
    private let localAddresses = Mutex<(addresses: Set<SocketAddress>, asked: UInt64)>(([], 0))
    /// The relays of the configuration in force, by name.
    private let identities = Mutex<[String: RelayIdentity]>([:])
    private let reportsOpeningsFlag = Atomic(false)
    /// The counters of ended workers, by the workers' numbers.
    private let retired = Mutex<[Int: [String: RelayStats]]>([:])

    /// Descriptors reserved for listeners, logs, name lookups, the admin server's clients (64) and the rest of the
    /// process.
    private static let reserve = 48 + 72

    init(
        observer: Observer, recordings: RecorderRegistry, keyLog: KeyLog, system: SystemFacts, workers: Int,
        descriptorLimit: Int, descriptorsInUse: Int, deadPeerAfter: UInt64, ids: ConnectionIDs = ConnectionIDs(),
        acceptsOnlyOne: Bool = false
    ) {
        self.ids = ids
        self.observer = observer
        self.recordings = recordings
        self.keyLog = keyLog
        self.system = system
        self.workers = workers
        self.deadPeerAfter = deadPeerAfter
        self.descriptorLimit = descriptorLimit
        let wakes = WorkerMailboxes()
        self.wakes = wakes
        // A tenth of a small limit is reserved, so that a limit of 256 still serves a hundred connections.
        let reserve = min(Self.reserve + 8 * workers, max(8, descriptorLimit / 10))
        descriptors = Budget(max(2, descriptorLimit - descriptorsInUse - reserve)) {
            wakes.post(.resumeAccepting)
        }
        onlyClient = acceptsOnlyOne ? Budget(1) { wakes.post(.resumeAccepting) } : nil
        pipes = PipeAllowance(descriptors: descriptors)
        runningWorkers = Atomic(workers)
    }

    /// The identities of a configuration's relays, by name, when it comes into force. `previousNames` has the existing
    /// relays, and the name of each in the configuration before; the others are new. Limits change with `setLimits`.
    func takeIdentities(for relays: [RelaySettings], previousNames: [String: String]) -> [String: RelayIdentity] {
        let wakes = wakes
        return identities.withLock { identities in
            var next: [String: RelayIdentity] = [:]
            for relay in relays {
                let known = previousNames[relay.name].flatMap { identities[$0] }
                next[relay.name] =
                    known
                    ?? RelayIdentity(relay.name, limit: relay.maxConnections) { wakes.post(.resumeAccepting) }
            }
            for (name, identity) in next { identity.rename(to: name) }
            identities = next
            return next
        }
    }

    /// Applies every relay's limit. A higher limit wakes paused listeners, so the workers must have applied the
    /// configuration before.
    func setLimits(of relays: [RelaySettings]) {
        let known = identities.withLock { $0 }
        for relay in relays { known[relay.name]?.setLimit(relay.maxConnections) }
    }

    // MARK: Workers

    /// The workers exist and can be woken from now on.
    func set(mailboxes: [Mailbox<WorkerCommand>]) {
        wakes.set(mailboxes)
    }

    /// Posts a command to every worker. Returns how many got it.
    @discardableResult
    func post(_ command: WorkerCommand) -> Int {
        wakes.post(command)
    }

    /// Requests every worker to close its unused pipes.
    func freeIdlePipes() {
        wakes.post(.freeIdlePipes)
    }

    /// Whether accepted clients are reported to the observer.
    var reportsOpenings: Bool {
        get { observer.wantsOpenings || reportsOpeningsFlag.load(ordering: .relaxed) }
        set { reportsOpeningsFlag.store(newValue, ordering: .relaxed) }
    }

    /// A worker answers no more commands; its counters are kept.
    func retire(worker: Int, _ stats: [String: RelayStats]) {
        retired.withLock { $0[worker] = stats }
    }

    /// The counters of ended workers.
    var retiredStats: [Int: [String: RelayStats]] { retired.withLock { $0 } }

    /// A worker has ended; the last one reports `stopped`.
    func workerStopped() {
        if runningWorkers.subtract(1, ordering: .sequentiallyConsistent).newValue == 0 { observer.stopped() }
    }

    // MARK: Connections

    func nextConnectionID() -> UInt64 {
        ids.take()
    }

    /// Keeps numbers for a process that may take over, and returns the first. The supervisor's thread.
    func reserveIDs() -> UInt64 { ids.reserve() }

    /// The number of the last connection; nil before the first.
    var lastID: UInt64? { ids.last }

    /// Whether a connection may have had the number.
    func mayHaveTaken(_ id: UInt64) -> Bool { ids.mayHaveTaken(id) }

    /// Identifies a connection among those of all proxies and all processes (PROXY protocol, section 2.2.5).
    func uniqueID(of id: UInt64) -> String { "\(token)-\(id)" }

    func countOpened() {
        open.add(1, ordering: .relaxed)
    }

    func countEnded() {
        open.subtract(1, ordering: .relaxed)
    }

    var openConnections: Int { open.load(ordering: .relaxed) }

    /// A client waits for its upstream to come up.
    func beginHolding(_ client: HeldClient) {
        held.add(1, ordering: .relaxed)
        observer.held(client)
    }

    /// It no longer does.
    func endHolding() {
        held.subtract(1, ordering: .relaxed)
    }

    var heldClients: Int { held.load(ordering: .relaxed) }

    // MARK: Our own addresses

    func set(ownListeners: OwnListeners) {
        self.ownListeners.withLock { $0 = ownListeners }
    }

    /// Whether an address leads back to a listener of this process.
    func isOwnListener(_ address: SocketAddress) -> Bool {
        let own = ownListeners.withLock { $0 }
        return own.contains(address, localAddresses: currentLocalAddresses)
    }

    /// The machine's addresses, read at most once a second: a relay that listens on every interface and forwards to the
    /// same port elsewhere needs them for each connection.
    private func currentLocalAddresses() -> Set<SocketAddress> {
        let now = EventLoop.nanoseconds
        let known = localAddresses.withLock { $0 }
        if known.asked > 0, now &- known.asked < 1_000_000_000 { return known.addresses }
        let read = LocalAddresses.read()
        // Reading can fail, also for lack of descriptors; loops must be found even then.
        let addresses = read.isEmpty ? known.addresses : read
        localAddresses.withLock { $0 = (addresses, now) }
        return addresses
    }
}

/// The mailboxes of all workers.
private final class WorkerMailboxes: Sendable {
    private let mailboxes = Mutex<[Mailbox<WorkerCommand>]>([])

    func set(_ mailboxes: [Mailbox<WorkerCommand>]) {
        self.mailboxes.withLock { $0 = mailboxes }
    }

    @discardableResult
    func post(_ command: WorkerCommand) -> Int {
        let all = mailboxes.withLock { $0 }
        return all.count { $0.post(command) }
    }
}
