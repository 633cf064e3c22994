internal import EventLoop
internal import Logging
internal import Sockets

/// One accepted client with the upstream socket opened for it, from accept to the end record.
///
/// Owned by its worker, on the worker's thread. The rules are in `ConnectionState`; this is what carries them out: it
/// owns the two legs and the two flows, tells the state what happens, and does what the state answers.
final class Connection {
    // MARK: Fixed at birth

    let id: UInt64
    unowned(unsafe) let worker: Worker
    /// The settings that the connection started with; a reload does not change them.
    let relay: RelayRuntime
    private let clientAddress: SocketAddress
    private let listenerAddress: SocketAddress
    /// Nanoseconds since 1970 UTC, and of the monotonic clock.
    private let acceptedAt: Int64
    private let acceptedTicks: UInt64

    // MARK: The loop's thread only

    /// Where it stands in the worker's list.
    var index = 0
    private(set) var state = ConnectionState()
    private(set) var client: Leg?
    private(set) var upstream: Leg?
    private(set) var up: Flow?
    private(set) var down: Flow?
    /// The client's socket until it has a leg.
    private var clientSocket: Socket
    private var dialer: Dialer?
    private var upstreamAddress: SocketAddress?
    private var connectDuration: Int64?
    private var firstByteDuration: Int64?
    /// The upstream's socket gets its keepalive only when the connection has lived for a while: most never need it.
    private var hasUpstreamKeepalive = false
    /// When half of the connection, or a leg, ended: the loop's clock, milliseconds.
    private var halfEndedAt: UInt64 = 0
    /// Looks whether the reset may pass; only while one waits.
    private var resetTimer: Timer?
    private var resetDelay: UInt64 = 1
    private var startedAt: UInt64

    init(
        id: UInt64, worker: Worker, relay: RelayRuntime, client: consuming Socket, address: SocketAddress,
        listener: SocketAddress
    ) {
        self.id = id
        self.worker = worker
        self.relay = relay
        clientSocket = client
        clientAddress = address
        listenerAddress = listener
        acceptedAt = WallClock.now
        acceptedTicks = EventLoop.nanoseconds
        startedAt = worker.loop.now
    }

    /// Whether a tap watches its flows; then they are copied.
    private var tap: (@Sendable (UInt64, Direction, RawSpan) -> Void)? { worker.shared.observer.traffic }

    // MARK: Connecting

    /// Starts to connect the upstream. The connection may be over when this returns.
    func open() {
        let dialer = Dialer(connection: self)
        self.dialer = dialer
        dialer.start()
        guard state.phase == .connecting else { return }
        // Not decided at once: from now on the client may be the first to go.
        guard let leg = makeClientLeg() else { return }
        leg.await(reading: false, writing: false)
    }

    private func makeClientLeg() -> Leg? {
        if let client { return client }
        var socket = Socket(adopting: -1)
        swap(&socket, &clientSocket)
        return makeLeg(socket, side: .client, isUnix: clientAddress.isUnix)
    }

    private func makeLeg(_ socket: consuming Socket, side: Side, isUnix: Bool) -> Leg? {
        do {
            let leg = try Leg(connection: self, loop: worker.loop, socket: socket, side: side, isUnix: isUnix)
            if side == .client { client = leg } else { upstream = leg }
            return leg
        } catch {
            worker.logger.error(
                "a socket cannot be watched", metadata: ["connection": "\(id)", "error": "\(error) (\(error.name))"])
            perform(state.handle(.decided(.internalError)))
            return nil
        }
    }

    /// The upstream is connected: called once by the dialer. It may have reset since, which its socket will not say
    /// again; what it sent before that can still be read.
    func connected(_ socket: consuming Socket, _ address: SocketAddress, failed error: Errno?) {
        upstreamAddress = address
        connectDuration = Int64(EventLoop.nanoseconds &- acceptedTicks)
        guard let client = makeClientLeg(),
            let upstream = makeLeg(socket, side: .upstream, isUnix: address.isUnix)
        else { return }
        up = Flow(
            direction: .up, worker: worker, source: client, destination: upstream,
            tap: tap.map { FlowTap(connection: id, direction: .up, sink: $0) })
        down = Flow(
            direction: .down, worker: worker, source: upstream, destination: client,
            tap: tap.map { FlowTap(connection: id, direction: .down, sink: $0) })
        perform(state.handle(.connected))
        if let error { fail(upstream, error) }
    }

    /// No address could be connected: called once by the dialer.
    func connectFailed(_ reason: EndReason, _ errno: Errno?) {
        perform(state.handle(.connectFailed(reason, errno)))
    }

    // MARK: Relaying

    /// A leg's socket is ready, or has failed.
    func legReady(_ leg: Leg, _ events: Poll.Events) {
        if events.contains(.error) {
            socketFailed(leg)
        } else if state.phase == .relaying || state.phase == .passingReset {
            if events.contains(.readable), let flow = flow(from: leg) { report(flow.sourceReady(), of: flow) }
            if events.contains(.writable), let flow = flow(to: leg) {
                report(flow.destinationReady(), of: flow)
                finishReading(flow)
            }
        }
        if events.contains(.urgent) && leg.interest == .urgent { leg.isUnwatchable = true }
        settle()
    }

    private func flow(from leg: Leg) -> Flow? { leg.side == .client ? up : down }
    private func flow(to leg: Leg) -> Flow? { leg.side == .client ? down : up }
    private func leg(_ side: Side) -> Leg? { side == .client ? client : upstream }

    /// Watches each leg for what its flows want now.
    @inline(__always)
    private func settle() {
        guard state.phase == .relaying || state.phase == .passingReset, let client, let upstream, let up, let down
        else {
            if state.phase == .connecting { client?.await(reading: false, writing: false) }
            return
        }
        client.await(reading: up.wantsToRead, writing: down.isBlocked)
        upstream.await(reading: down.wantsToRead, writing: up.isBlocked)
    }

    /// Tells the state what moving bytes came to.
    @inline(__always)
    private func report(_ outcome: Flow.Outcome, of flow: Flow) {
        if flow.direction == .down && firstByteDuration == nil && flow.delivered > 0 {
            firstByteDuration = Int64(EventLoop.nanoseconds &- acceptedTicks)
        }
        if case .waiting = outcome { return }
        reportEnd(outcome, of: flow)
    }

    private func reportEnd(_ outcome: Flow.Outcome, of flow: Flow) {
        switch outcome {
        case .waiting:
            return
        case .sourceEnded:
            perform(state.handle(.sourceEnded(flow.direction)))
            if !flow.isBlocked { perform(state.handle(.delivered(flow.direction))) }
        case .delivered:
            perform(state.handle(.delivered(flow.direction)))
        case .sourceFailed(let error):
            fail(flow.source, error)
        case .destinationFailed(let error):
            fail(flow.destination, error)
        }
    }

    /// libuv tells of an error on a leg's socket and has stopped watching it.
    private func socketFailed(_ leg: Leg) {
        guard let error = leg.socket.takeError() else {
            // A write has met the error already, or there was none.
            leg.unknownErrors += 1
            if leg.unknownErrors > 3 { leg.isUnwatchable = true }
            return
        }
        fail(leg, error)
    }

    private func fail(_ leg: Leg, _ error: Errno) {
        leg.hasFailed = true
        leg.watch([])
        perform(state.handle(.legFailed(leg.side, error)))
    }

    /// Reads what a failed leg still holds: no event will tell of it.
    private func finishReading(_ flow: Flow) {
        while flow.source.hasFailed && !flow.isSourceDone && !flow.isBlocked && state.phase == .relaying {
            report(flow.pump(), of: flow)
        }
    }

    // MARK: Carrying out

    private func perform(_ action: ConnectionState.Action) {
        switch action {
        case .none:
            break
        case .relay:
            dialer = nil
            up?.lastProgress = worker.loop.now
            down?.lastProgress = worker.loop.now
            settle()
        case .endWriting(let side):
            halfEndedAt = worker.loop.now
            leg(side)?.socket.endWriting()
        case .drain(let side):
            halfEndedAt = worker.loop.now
            guard let leg = leg(side), let out = flow(from: leg) else { return }
            flow(to: leg)?.cut()
            if out.isSourceDone {
                if !out.isBlocked { perform(state.handle(.delivered(out.direction))) }
            } else {
                finishReading(out)
            }
        case .awaitSent(let side):
            if let failed = leg(side.other) { flow(to: failed)?.cut() }
            halfEndedAt = worker.loop.now
            awaitSent(side)
        case .end(let reset, let reason, let errno):
            end(reset: reset, reason, errno)
        }
    }

    /// Resetting a socket throws away what it has not sent, and no event tells when it has: so look, often at first.
    private func awaitSent(_ side: Side) {
        guard let leg = leg(side), !leg.isUnix, !leg.hasFailed, leg.socket.unsentBytes > 0 else {
            perform(state.handle(.resetMayPass))
            return
        }
        if resetTimer == nil {
            resetTimer = try? Timer(loop: worker.loop) { [unowned self] in
                awaitSent(side)
            }
        }
        // Without a timer (no memory) the sweep's bound is what ends it.
        resetTimer?.start(after: resetDelay)
        resetDelay = min(resetDelay * 2, 50)
    }

    private func end(reset: Bool, _ reason: EndReason, _ errno: Errno?) {
        let record = record(
            ended: .init(
                time: WallClock.now, duration: Int64(EventLoop.nanoseconds &- acceptedTicks), reason: reason,
                errno: errno))
        dialer?.cancel()
        dialer = nil
        resetTimer?.close()
        resetTimer = nil
        up?.cut()
        down?.cut()
        client?.end(reset: reset)
        upstream?.end(reset: reset)
        if clientSocket.fd >= 0 {
            if reset && !clientAddress.isUnix { clientSocket.resetOnClose() }
            clientSocket.close()
        }
        worker.ended(self, record)
    }

    /// Tapline ends the connection, for one of its own reasons.
    func end(because reason: EndReason) {
        perform(state.handle(.decided(reason)))
    }

    /// A copy of what is known now.
    func record(ended end: ConnectionRecord.End? = nil) -> ConnectionRecord {
        var record = ConnectionRecord(
            id: id, relay: relay.name, generation: relay.generation, client: clientAddress, listener: listenerAddress,
            upstream: relay.upstreamText, accepted: acceptedAt)
        record.upstreamAddress = upstreamAddress ?? dialer?.lastTried
        record.connectDuration = connectDuration
        record.firstByteDuration = firstByteDuration
        record.bytesUp = up?.delivered ?? 0
        record.bytesDown = down?.delivered ?? 0
        record.splicedUp = up?.spliced ?? 0
        record.splicedDown = down?.spliced ?? 0
        record.end = end
        return record
    }
}

// MARK: - Deadlines

extension Connection {
    /// Looks at the clock, several times a second. The connection may be over when this returns.
    func checkDeadlines(_ now: UInt64) {
        let limits = relay.timeouts
        if limits.lifetime > 0, now &- startedAt >= limits.lifetime { return end(because: .lifetime) }
        switch state.phase {
        case .connecting:
            if limits.connect > 0, now &- startedAt >= limits.connect { end(because: .connectTimeout) }
        case .relaying, .passingReset:
            checkProgress(now, limits)
        case .ended:
            break
        }
    }

    private func checkProgress(_ now: UInt64, _ limits: RelayRuntime.Timeouts) {
        guard let up, let down else { return }
        let lastProgress = max(up.lastProgress, down.lastProgress)
        if state.failedSide != nil {
            let bound = limits.halfClose > 0 ? limits.halfClose : RelayRuntime.Timeouts.resetBound
            if now &- max(halfEndedAt, lastProgress) >= bound { perform(state.handle(.resetMayPass)) }
            return
        }
        if limits.idle > 0, now &- lastProgress >= limits.idle { return end(because: .idleTimeout) }
        if limits.halfClose > 0, state.isHalfClosed {
            let open = state.up == .ended ? down : up
            // A flow that waits for its reader is not an abandoned one.
            if !open.isBlocked, now &- max(halfEndedAt, open.lastProgress) >= limits.halfClose {
                return end(because: .halfCloseTimeout)
            }
        }
        if !hasUpstreamKeepalive, now &- startedAt >= 1000 { setUpstreamKeepalive() }
    }

    private func setUpstreamKeepalive() {
        hasUpstreamKeepalive = true
        guard let upstream, !upstream.isUnix else { return }
        do {
            try upstream.socket.set(.standard)
        } catch {
            worker.logger.debug(
                "keepalive refused by the system", metadata: ["connection": "\(id)", "error": "\(error.name)"])
        }
    }

    /// What needs looking at only every few seconds: dead peers, legs that cannot be watched, pipes of quiet flows. The
    /// connection may be over when this returns.
    func checkHealth(_ now: UInt64) {
        if state.phase == .connecting {
            if let client, client.isUnwatchable, client.socket.hasFailedOrEnded { socketFailed(client) }
            return
        }
        for side in [Side.client, .upstream] {
            guard state.phase == .relaying || state.phase == .passingReset, let leg = leg(side), !leg.hasFailed,
                let inflow = flow(to: leg), let outflow = flow(from: leg)
            else { return }
            if leg.isUnwatchable, leg.socket.hasFailedOrEnded { socketFailed(leg) }
            if DeadPeer.isDead(leg, delivered: inflow.delivered, now: now, limit: worker.shared.deadPeerAfter) {
                fail(leg, .timedOut)
            }
            if now &- outflow.lastProgress >= 1000 { outflow.rest() }
        }
        settle()
    }
}
