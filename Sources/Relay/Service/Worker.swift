internal import EventLoop
internal import Logging
internal import Recorder
internal import Sockets

/// One thread with one loop, and the connections that it accepted.
///
/// Everything here belongs to that thread; other threads post to `mailbox`.
final class Worker {
    /// The bytes held for streaming flows by one worker at which their reads become smaller.
    static let mostKeptForStreams = 2 << 20
    /// How often deadlines are checked, milliseconds: none is more than 250 ms late.
    static let sweepPeriod: UInt64 = 200
    /// Sweeps between two checks of a connection's health.
    static let sweepsPerHealthCheck: UInt64 = 16

    // MARK: Fixed at birth

    /// The worker's number, from 0 on.
    private let number: Int
    let loop: EventLoop
    let shared: ServiceState
    let logger: Logger
    /// The copy pump's read buffer. Pages that no read reaches are never touched.
    let scratch = ByteBuffer(capacity: Flow.Limits.streamingRead)
    let pipes: PipePool
    let names: NameCache
    let dialing: DialerResources
    /// The handshakes in progress.
    let handshakeWave = HandshakeWave()

    // MARK: The loop's thread only

    /// Bounds the handshakes of one turn of the loop.
    var handshakes = HandshakeBound()
    /// Bytes held for slow destinations.
    var keptBytes = 0
    private var mailbox: Mailbox<WorkerCommand>?
    private var sweep: Timer?
    private var isSweeping = false
    private var sweeps: UInt64 = 0
    /// The loop's rounds at the last sweep.
    var roundsAtSweep: UInt64 = 0
    /// The earliest time at which a deadline may pass, by the loop's clock.
    private var nextDeadline = UInt64.max
    private var listeners: [Listener] = []
    private var connections: [Connection] = []
    /// The relays' counters, by name, without open connections; a reload does not reset them.
    private var stats: [String: RelayStats] = [:]
    /// The end of the drain, by the loop's clock; nil if the worker is not draining.
    private var drainsUntil: UInt64?
    private(set) var taps: WorkerTaps
    private var isFinished = false
    private var pauseLogThrottle = Throttle(every: 10_000)
    private var pausesSinceLogged = 0

    /// Makes a worker on its own thread. `names` is for tests that answer lookups themselves.
    init(
        number: Int, loop: EventLoop, shared: ServiceState, logger: Logger, names: NameCache? = nil
    ) throws(UVError) {
        self.number = number
        self.loop = loop
        self.shared = shared
        self.logger = logger
        pipes = PipePool(allowance: shared.pipes)
        self.names = names ?? NameCache(loop: loop, logger: logger)
        dialing = DialerResources(
            loop: loop, names: self.names, descriptors: shared.descriptors, system: shared.system, logger: logger)
        taps = WorkerTaps(common: shared.recordings.common)
        // The handlers keep the worker for as long as its handles are open; `finish` closes them.
        sweep = Timer(loop: loop) { self.sweepConnections() }
    }

    /// Creates the mailbox, which keeps the worker until `finish`.
    func openMailbox() throws(UVError) -> Mailbox<WorkerCommand> {
        let mailbox = try Mailbox<WorkerCommand>(loop: loop) { commands in
            for command in commands { self.handle(command) }
        }
        self.mailbox = mailbox
        return mailbox
    }

    // MARK: Commands

    private func handle(_ command: WorkerCommand) {
        switch command {
        case .apply(let plan):
            apply(plan)
            plan.applied.down()
        case .resumeAccepting:
            for listener in listeners { listener.resume() }
        case .freeIdlePipes:
            pipes.closeAll()
        case .list(let answer):
            answer(connections.map { ConnectionRecord($0) })
        case .look(let id, let kernel, let answer):
            if let id {
                answer(connection(id).map { [LiveConnection($0, kernel: kernel)] } ?? [])
            } else {
                answer(connections.map { LiveConnection($0, kernel: kernel) })
            }
        case .stats(let answer):
            answer((number, statsNow()))
        case .ping(let answer):
            answer(true)
        case .tapHasRoom:
            eachConnection { $0.tapHasRoom() }
        case .record(let relay, let recorder):
            taps.recorders[relay] = recorder
            eachConnection { if $0.relay.identity == relay { $0.attach(recorder) } }
        case .attach(let recorder, let last):
            if !recorder.progress.isRetired {
                taps.live.append(recorder)
                eachConnection { $0.attach(recorder) }
            }
            last.down()
        case .pass(let last):
            last.down()
        case .detach(let recorder, let last):
            taps.remove(recorder)
            for connection in connections { connection.detach(recorder) }
            taps.releaseProducers()
            last.down()
        case .kill(let id, let answer):
            let connection = connection(id)
            connection?.end(because: .killed)
            answer(connection != nil)
        case .copyListeners(let lowest, let answer):
            answer(copyListeners(from: lowest))
        case .closeListeners:
            closeListeners(acceptingWaiting: false)
        case .refuseHeld:
            eachConnection { $0.refuseHeld() }
        case .drain(let bound):
            drain(bound)
        case .stop:
            drain(0)
        }
    }

    /// The open connection with this id, if it is this worker's.
    func connection(_ id: UInt64) -> Connection? {
        connections.first { $0.id == id }
    }

    /// This worker's producer for a recorder's ring.
    func producer(to recorder: Recorder) -> RingProducer {
        taps.producer(to: recorder, workers: shared.workers, loop: loop)
    }

    private func apply(_ plan: WorkerPlan) {
        guard drainsUntil == nil else { return }
        taps.change(plan.recordings)
        taps.releaseProducers()
        for bound in plan.opened {
            guard let relay = plan.listeners[bound.address] else { continue }
            for parcel in bound.sockets[number] { listen(parcel, bound, relay) }
        }
        listeners.removeAll { listener in
            guard let relay = plan.listeners[listener.address] else {
                listener.end(acceptingWaiting: true)
                return true
            }
            listener.relay = relay
            // The relay's limit may have risen.
            listener.resume()
            return false
        }
        let deadline = deadline(after: plan.drain)
        eachConnection { connection in
            let isHeld = connection.upstreamWait?.isHolding ?? false
            if isHeld, let settings = plan.successor(of: connection.relay) {
                connection.takeUpstream(of: settings)
            } else if isHeld || !plan.keeps(connection.relay) {
                connection.drain(until: deadline)
                note(deadline: plan.drain, from: loop.now)
            }
        }
    }

    /// The relays' counters, including open connections.
    private func statsNow() -> [String: RelayStats] {
        var now = stats
        // This runs ten times a second for every open connection: it makes no record, and looks up a relay's entry once
        // for consecutive connections of the relay.
        var last: (relay: RelayRuntime, position: Dictionary<String, RelayStats>.Index)?
        for connection in connections {
            if last?.relay !== connection.relay {
                last = now.index(forKey: connection.relay.name).map { (connection.relay, $0) }
            }
            if let position = last?.position { now.values[position].count(connection, now: loop.now) }
        }
        return now
    }

    private func listen(_ parcel: SocketParcel, _ bound: BoundAddress, _ relay: RelayRuntime) {
        guard let socket = parcel.takeSocket() else { return }
        let listener = Listener(
            worker: self, relay: relay, socket: socket, address: bound.address,
            isHeldByManager: bound.source == .manager)
        listeners.append(listener)
        listener.start()
    }

    private func copyListeners(from lowest: Int32) -> Result<[ListenerCopy], Errno> {
        do throws(Errno) {
            var copies: [ListenerCopy] = []
            for listener in listeners { copies.append(try listener.copy(from: lowest)) }
            return .success(copies)
        } catch {
            return .failure(error)
        }
    }

    // MARK: Connections

    func accepted(_ socket: consuming Socket, from address: SocketAddress, at listener: Listener) {
        let connection = Connection(
            id: shared.nextConnectionID(), worker: self, relay: listener.relay, client: socket, address: address,
            listener: listener.address)
        connection.index = connections.count
        connections.append(connection)
        shared.countOpened()
        stats[listener.relay.name, default: RelayStats()].accepted += 1
        if !isSweeping {
            isSweeping = true
            sweep?.start(after: Self.sweepPeriod, every: Self.sweepPeriod)
        }
        connection.open()
    }

    /// A connection has ended; its sockets are closed.
    func ended(_ connection: Connection, _ record: ConnectionRecord) {
        // First, because one of the connection's methods is running, and soon there is no other reference to it.
        loop.retire(connection)
        let last = connections.removeLast()
        if last !== connection {
            connections[connection.index] = last
            last.index = connection.index
        }
        shared.countEnded()
        // By index, because changing a value that is looked up by key allocates.
        if let position = stats.index(forKey: connection.relay.name) {
            stats.values[position].count(record, startedAt: connection.startedAt, now: loop.now)
        }
        shared.descriptors.give(2)
        connection.relay.slots.give(1)
        connection.reportEnd(record)
        if drainsUntil != nil && connections.isEmpty { finish() }
    }

    /// Checks deadlines and health; called by the sweep timer, and by tests that have advanced the loop's clock.
    func sweepConnections() {
        let now = loop.now
        if let drainsUntil, now >= drainsUntil {
            endAll()
            return
        }
        shared.recordings.pending.reportOverdue()
        returnIdleMemory()
        guard !connections.isEmpty || !shared.recordings.pending.isEmpty || handshakeWave.hasPassed else {
            isSweeping = false
            sweep?.stop()
            return
        }
        names.checkPatience()
        sweeps &+= 1
        let looksAtHealth = sweeps % Self.sweepsPerHealthCheck == 0
        if looksAtHealth { eachConnection { $0.checkHealth(now) } }
        if now >= nextDeadline {
            nextDeadline = .max
            eachConnection { connection in
                let next = connection.checkDeadlines(now)
                nextDeadline = min(nextDeadline, next)
            }
        }
    }

    /// Notes a deadline that is `limit` milliseconds after `start`, by the loop's clock; 0: none.
    @inline(__always)
    func note(deadline limit: UInt64, from start: UInt64) {
        // A deadline that wraps around is checked too early and found not to have passed.
        if limit > 0 { nextDeadline = min(nextDeadline, start &+ limit) }
    }

    private func deadline(after milliseconds: UInt64) -> UInt64 {
        let (deadline, isEndless) = loop.now.addingReportingOverflow(milliseconds)
        return isEndless ? .max : deadline
    }

    /// Calls `visit` for every connection; each may end during the call.
    private func eachConnection(_ visit: (Connection) -> Void) {
        // Downwards, because an ended connection is replaced by the last one, which was visited already.
        var position = connections.count - 1
        while position >= 0 {
            if position < connections.count { visit(connections[position]) }
            position -= 1
        }
    }

    // MARK: Pauses of accepting

    /// Counts that a listener of a relay paused.
    func countAcceptPause(of relay: RelayRuntime) {
        stats[relay.name, default: RelayStats()].acceptPauses += 1
    }

    /// Counts a failed attempt to connect the upstream of a held client; at its end no attempt is counted again.
    func countConnectFailure(_ reason: EndReason, of connection: Connection) {
        stats[connection.relay.name, default: RelayStats()].countFailure(
            reason, at: connection.destination.text, proxy: connection.upstreamSettings.proxy?.text,
            isRequested: connection.stages?.context.request != nil, now: loop.now)
    }

    /// Counts that accept(2) failed on a listener of a relay.
    func countAcceptError(of relay: RelayRuntime) {
        stats[relay.name, default: RelayStats()].acceptErrors += 1
    }

    /// Counts a pause of a relay's listener and logs it, at most once in ten seconds, with the number of pauses.
    func noteAcceptPause(of relay: RelayRuntime, _ metadata: Logger.Metadata) {
        countAcceptPause(of: relay)
        pausesSinceLogged += 1
        guard pauseLogThrottle.allows(at: loop.now) else { return }
        var metadata = metadata
        metadata["pauses"] = .stringConvertible(pausesSinceLogged)
        metadata["open"] = .stringConvertible(shared.openConnections)
        logger.warning("accepting is paused; clients wait in the kernel's queue", metadata: metadata)
        pausesSinceLogged = 0
    }

    // MARK: Ending

    private func drain(_ bound: UInt64) {
        guard !isFinished else { return }
        // Listeners first: a client accepted here may end at once, and the last connection to end finishes the worker.
        closeListeners(acceptingWaiting: bound > 0)
        let deadline = deadline(after: bound)
        drainsUntil = min(drainsUntil ?? deadline, deadline)
        if bound == 0 {
            endAll()
        } else if connections.isEmpty {
            finish()
        }
    }

    private func closeListeners(acceptingWaiting: Bool) {
        let ending = listeners
        listeners = []
        for listener in ending { listener.end(acceptingWaiting: acceptingWaiting && !listener.isHeldByManager) }
    }

    private func endAll() {
        // The last one to end finishes the worker; if there is none, it is finished here.
        for connection in connections.reversed() { connection.end(because: .drained) }
        if connections.isEmpty { finish() }
    }

    /// Closes everything that is open; the loop ends with the last close callback.
    private func finish() {
        guard !isFinished else { return }
        isFinished = true
        shared.retire(worker: number, stats)
        names.close()
        pipes.closeAll()
        sweep?.close()
        sweep = nil
        let rest = mailbox?.close() ?? []
        mailbox = nil
        for command in rest { refuse(command) }
        shared.workerStopped()
    }

    /// Answers the commands whose sender waits for an answer.
    private func refuse(_ command: WorkerCommand) {
        switch command {
        case .list(let answer): answer([])
        case .look(_, _, let answer): answer([])
        case .stats(let answer): answer((number, stats))
        case .ping(let answer): answer(true)
        case .kill(_, let answer): answer(false)
        case .copyListeners(_, let answer): answer(.success([]))
        case .apply(let plan): plan.applied.down()
        case .attach(_, let last), .detach(_, let last), .pass(let last): last.down()
        case .tapHasRoom, .record, .resumeAccepting, .freeIdlePipes, .closeListeners, .refuseHeld, .drain, .stop: break
        }
    }
}
