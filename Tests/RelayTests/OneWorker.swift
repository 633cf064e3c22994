import Configuration
import EventLoop
import Glibc
import Sockets
import TestSupport
import Testing

@testable import Relay

/// One worker on the test's own loop, with one relay to a name that the test resolves itself: the clock, the lookups
/// and the budget of descriptors can be accessed between any two turns.
final class OneWorker {
    /// A lookup that the worker started.
    final class Lookup {
        fileprivate(set) var wasCancelled = false
        fileprivate var completion: ((Result<[SocketAddress], NameLookup.Failure>) -> Void)?

        func answer(_ result: Result<[SocketAddress], NameLookup.Failure>) {
            let completion = completion
            self.completion = nil
            completion?(result)
        }
    }

    /// Every lookup so far.
    final class Lookups {
        fileprivate(set) var all: [Lookup] = []
    }

    let harness: LoopHarness
    let worker: Worker
    let shared: ServiceState
    let address: SocketAddress
    let log = LogCapture()
    /// The only relay.
    let identity: RelayIdentity
    private let lookups: Lookups
    private let mailbox: Mailbox<WorkerCommand>
    private let records: Monitor<[ConnectionRecord]>
    private let hasStopped: Monitor<Bool>

    private init(
        _ harness: LoopHarness, port: UInt16, descriptors: Int, timeouts: Timeouts, terms: NameCache.Terms,
        sendBuffer: CInt?, change: (inout RelaySettings) -> Void
    ) throws {
        let records = Monitor<[ConnectionRecord]>([])
        let hasStopped = Monitor(false)
        let lookups = Lookups()
        self.harness = harness
        self.records = records
        self.hasStopped = hasStopped
        self.lookups = lookups
        // A limit from which the reserve is subtracted, as `ServiceState` does it.
        shared = ServiceState(
            observer: Observer(
                ended: { record in records.withLock { $0.append(record) } },
                stopped: { hasStopped.withLock { $0 = true } }),
            recordings: RecorderRegistry(application: "test", logger: log.logger) { record in
                records.withLock { $0.append(record) }
            }, keyLog: KeyLog(path: nil, logger: log.logger),
            system: .read(), workers: 1, descriptorLimit: descriptors + 8, descriptorsInUse: 0, deadPeerAfter: 0)
        #expect(shared.descriptors.left == descriptors)
        let names = NameCache(loop: harness.loop, logger: log.logger, terms: terms) { _, _, completion in
            let lookup = Lookup()
            lookup.completion = completion
            lookups.all.append(lookup)
            return {
                lookup.completion = nil
                lookup.wasCancelled = true
            }
        }
        let socket = try Socket(family: SocketAddress.ipv4(.loopback, port: 0).family)
        try socket.bind(to: .ipv4(.loopback, port: 0), sharing: false)
        try socket.receiveUrgentBytesInline()
        try socket.listen()
        listenerCopy = try socket.duplicate()
        // Accepted sockets inherit it.
        if var sendBuffer { setsockopt(socket.fd, SOL_SOCKET, SO_SNDBUF, &sendBuffer, 4) }
        guard let address = socket.localAddress else { throw TestFailure("a listener without an address") }
        self.address = address
        var settings = RelaySettings.to(.name("upstream.test", port: port), timeouts: timeouts)
        change(&settings)
        let identities = shared.takeIdentities(for: [settings], previousNames: [:])
        identity = try #require(identities[settings.name])
        let relay = RelayRuntime(settings, generation: 1, identity: identity, mayLoop: true)
        let worker = try Worker(
            number: 0, loop: harness.loop, shared: shared, logger: log.logger, names: names)
        self.worker = worker
        mailbox = try worker.openMailbox()
        shared.set(mailboxes: [mailbox])
        let bound = BoundAddress(address: address, sockets: [[SocketParcel(socket)]], file: nil)
        mailbox.post(
            .apply(
                WorkerPlan(
                    listeners: [address: relay], opened: [bound], recordings: [:], relays: [relay], drain: 0,
                    workers: 1)))
    }

    /// Runs a body with a worker whose connections may use a number of descriptors, up to 72; stops it afterwards.
    /// `sendBuffer` is the size of the socket buffers for bytes that a client has not received.
    static func run(
        port: UInt16, descriptors: Int = 64, timeouts: Timeouts = Timeouts(connect: .seconds(60)),
        terms: NameCache.Terms = .init(), sendBuffer: CInt? = nil, _ harness: LoopHarness,
        change: (inout RelaySettings) -> Void = { _ in }, _ body: (OneWorker) throws -> Void
    ) throws {
        let worker = try OneWorker(
            harness, port: port, descriptors: descriptors, timeouts: timeouts, terms: terms, sendBuffer: sendBuffer,
            change: change)
        do {
            try body(worker)
        } catch {
            try? worker.stop()
            throw error
        }
        try worker.stop()
        #expect(worker.shared.descriptors.left == descriptors, "the budget is whole again")
        #expect(worker.shared.openConnections == 0)
    }

    private func stop() throws {
        mailbox.post(.stop)
        try harness.turn(until: "the worker stops") { hasStopped.withLock { $0 } }
    }

    /// Lets time pass: moves the loop's clock, and checks every connection's health and deadlines as often as in that
    /// time.
    func letPass(_ milliseconds: UInt64) {
        for _ in 0..<milliseconds / Worker.sweepPeriod {
            harness.loop.advance(by: Worker.sweepPeriod)
            worker.sweepConnections()
        }
    }

    /// A second descriptor of the listening socket, as another process may have it. The caller closes it.
    let listenerCopy: Socket

    /// Sends the worker a command, as the service does.
    func post(_ command: WorkerCommand) {
        mailbox.post(command)
    }

    // MARK: Asking

    /// Turns the loop until a condition is true.
    func turn(until what: String, _ isTrue: () -> Bool) throws {
        try harness.turn(until: what, isTrue)
    }

    /// Turns the loop until a thread of the test has finished; returns its result.
    @discardableResult
    func result<Value: Sendable>(of thread: Background<Value>) throws -> Value {
        try turn(until: "a thread of the test is done") { thread.isDone }
        return try thread.value()
    }

    /// Turns the loop until `count` connections have ended; returns their records.
    @discardableResult
    func ended(_ count: Int = 1) throws -> [ConnectionRecord] {
        try turn(until: "\(count) ended connections") { records.withLock { $0.count >= count } }
        return records.withLock { $0 }
    }

    /// The number of ended connections.
    var endedCount: Int { records.withLock { $0.count } }

    /// Turns the loop until `count` lookups have started; returns the last one.
    func lookup(_ count: Int) throws -> Lookup {
        try turn(until: "\(count) lookups") { lookups.all.count >= count }
        return try #require(lookups.all.last)
    }

    /// The number of lookups so far.
    var lookupCount: Int { lookups.all.count }

    /// The relay's counters.
    func stats() throws -> RelayStats {
        let answer = Monitor<[RelayStats]?>(nil)
        mailbox.post(.stats { _, stats in answer.withLock { $0 = Array(stats.values) } })
        try turn(until: "the worker answers") { answer.withLock { $0 != nil } }
        return try #require(answer.withLock { $0 }?.first)
    }

    /// The state of the only open connection.
    func live() throws -> LiveConnection {
        let answer = Monitor<[LiveConnection]?>(nil)
        mailbox.post(.look(only: nil, kernel: true) { all in answer.withLock { $0 = all } })
        try turn(until: "the worker answers") { answer.withLock { $0 != nil } }
        let all = try #require(answer.withLock { $0 })
        try #require(all.count == 1)
        return all[0]
    }

    // MARK: Peers

    /// Clients that the worker has accepted.
    func clients(_ count: Int) throws -> [Peer] {
        let before = shared.openConnections + endedCount
        let clients = try (0..<count).map { _ in try Peer.connect(to: address) }
        try turn(until: "\(count) clients accepted") { shared.openConnections + endedCount == before + count }
        return clients
    }

    /// Turns the loop until the upstream is connected; returns its end.
    func accept(_ listener: PeerListener) throws -> Peer {
        try turn(until: "the upstream is connected") { listener.isAwaited }
        return try listener.accept()
    }

    /// Ends a connection that exchanged nothing, in order; its record.
    @discardableResult
    func finish(_ client: Peer, _ upstream: Peer) throws -> ConnectionRecord {
        let count = endedCount + 1
        client.close()
        upstream.close()
        let record = try #require(try ended(count).last)
        #expect([.clientClosed, .upstreamClosed].contains(record.end?.reason))
        return record
    }
}
