internal import Configuration
internal import EventLoop
internal import Glibc
internal import Logging
internal import Sockets
internal import Synchronization

/// What all workers share: budgets, the connections' numbers, what is true of the system. Any thread: it is immutable,
/// atomic or locked.
final class ServiceState: Sendable {
    // MARK: Fixed at birth

    let observer: Observer
    let recordings: RecorderRegistry
    let system: SystemFacts
    /// How many there are.
    let workers: Int
    let pipes: PipeAllowance
    /// What intercepting relays have accepted and opened.
    let interceptedPaths = InterceptedPaths()
    /// Descriptors that connections and pipes may take.
    let descriptors: Budget
    /// A peer that has acknowledged nothing for so long is dead. Milliseconds; 0: never.
    let deadPeerAfter: UInt64
    /// The most descriptors that the process may hold.
    let descriptorLimit: Int
    private let wakes: WorkerMailboxes
    /// Tells this process from all others, in the unique ids of connections.
    private let token = String(UInt64.random(in: .min ... .max), radix: 16)

    // MARK: Any thread

    private let nextID = Atomic<UInt64>(1)
    private let open = Atomic<Int>(0)
    private let runningWorkers: Atomic<Int>
    private let ownListeners = Mutex(OwnListeners())
    private let localAddresses = Mutex<(addresses: Set<SocketAddress>, asked: UInt64)>(([], 0))
    /// The relays of the configuration in force, by name.
    private let identities = Mutex<[String: RelayIdentity]>([:])
    private let reportsOpeningsFlag = Atomic<Bool>(false)
    /// What workers that have ended had counted, by their numbers.
    private let retired = Mutex<[Int: [String: RelayStats]]>([:])

    /// Descriptors kept back for listeners, logs, name lookups, the admin server's clients (64) and what else the
    /// process opens.
    private static let reserve = 48 + 72

    init(
        observer: Observer, recordings: RecorderRegistry, system: SystemFacts, workers: Int, descriptorLimit: Int,
        descriptorsInUse: Int,
        deadPeerAfter: UInt64
    ) {
        self.observer = observer
        self.recordings = recordings
        self.system = system
        self.workers = workers
        self.deadPeerAfter = deadPeerAfter
        self.descriptorLimit = descriptorLimit
        let wakes = WorkerMailboxes()
        self.wakes = wakes
        // A tenth of a small limit is kept back, so that a limit of 256 still serves a hundred connections.
        let reserve = min(Self.reserve + 8 * workers, max(8, descriptorLimit / 10))
        descriptors = Budget(max(2, descriptorLimit - descriptorsInUse - reserve)) {
            wakes.post(.resumeAccepting)
        }
        pipes = PipeAllowance(descriptors: descriptors)
        runningWorkers = Atomic(workers)
    }

    /// The identities of the relays of a configuration that comes into force, by name. `previousNames` says which of them
    /// are there already, and under which name; the others are new. Limits change with `setLimits`.
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

    /// Gives every relay its limit. More room wakes paused listeners, so the workers must have taken the configuration
    /// over before.
    func setLimits(of relays: [RelaySettings]) {
        let known = identities.withLock { $0 }
        for relay in relays { known[relay.name]?.setLimit(relay.maxConnections) }
    }

    // MARK: Workers

    /// The workers are there: from now on they can be woken.
    func set(mailboxes: [Mailbox<WorkerCommand>]) {
        wakes.set(mailboxes)
    }

    /// Tells every worker. Returns how many heard it.
    @discardableResult
    func post(_ command: WorkerCommand) -> Int {
        wakes.post(command)
    }

    /// Asks every worker to close the pipes that no flow uses.
    func freeIdlePipes() {
        wakes.post(.freeIdlePipes)
    }

    /// Whether the observer wants to hear of accepted clients.
    var reportsOpenings: Bool {
        get { reportsOpeningsFlag.load(ordering: .relaxed) }
        set { reportsOpeningsFlag.store(newValue, ordering: .relaxed) }
    }

    /// A worker will answer no more; what it counted stays.
    func retire(worker: Int, _ stats: [String: RelayStats]) {
        retired.withLock { $0[worker] = stats }
    }

    /// What the workers counted that have ended.
    var retiredStats: [Int: [String: RelayStats]] { retired.withLock { $0 } }

    /// A worker has ended its work; the last one says so.
    func workerStopped() {
        if runningWorkers.subtract(1, ordering: .sequentiallyConsistent).newValue == 0 { observer.stopped() }
    }

    // MARK: Connections

    func nextConnectionID() -> UInt64 {
        nextID.add(1, ordering: .relaxed).oldValue
    }

    /// What tells a connection from all others, over several proxies and all processes (PROXY protocol, section 2.2.5).
    func uniqueID(of id: UInt64) -> String { "\(token)-\(id)" }

    func countOpened() {
        open.add(1, ordering: .relaxed)
    }

    func countEnded() {
        open.subtract(1, ordering: .relaxed)
    }

    var openConnections: Int { open.load(ordering: .relaxed) }

    // MARK: Our own addresses

    func set(ownListeners: OwnListeners) {
        self.ownListeners.withLock { $0 = ownListeners }
    }

    /// Whether an address leads back to one of our own listeners.
    func isOwnListener(_ address: SocketAddress) -> Bool {
        let own = ownListeners.withLock { $0 }
        return own.contains(address, localAddresses: currentLocalAddresses)
    }

    /// The machine's addresses, asked of the system once a second at most: a relay of every interface to the same port
    /// elsewhere needs them for each connection.
    private func currentLocalAddresses() -> Set<SocketAddress> {
        let now = EventLoop.nanoseconds
        let known = localAddresses.withLock { $0 }
        if known.asked > 0, now &- known.asked < 1_000_000_000 { return known.addresses }
        let read = LocalAddresses.read()
        // Asking can fail, for want of descriptors too; loops must be found then as well.
        let addresses = read.isEmpty ? known.addresses : read
        localAddresses.withLock { $0 = (addresses, now) }
        return addresses
    }
}

/// The ways into all workers.
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
