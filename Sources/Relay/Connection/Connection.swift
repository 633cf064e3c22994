internal import EventLoop
internal import Logging
internal import Recorder
internal import Recording
internal import Sockets
internal import Text

/// One accepted client with the upstream socket opened for it, from accept to the end record.
///
/// Owned by its worker, on the worker's thread. The rules are in `ConnectionState`; this is what carries them out: it
/// owns the two legs and the two flows, tells the state what happens, and does what the state answers.
final class Connection {
    // MARK: Fixed at birth

    let id: UInt64
    /// Strong for as long as the worker has the connection in its list: see `Flow`.
    let worker: Worker
    /// The settings that the connection started with; a reload does not change them.
    let relay: RelayRuntime
    let listenerAddress: SocketAddress
    /// Nanoseconds since 1970 UTC, and of the monotonic clock.
    let acceptedAt: Int64
    let acceptedTicks: UInt64

    // MARK: The loop's thread only

    /// Where it stands in the worker's list.
    var index = 0
    /// The client's address: the socket's peer, or the source in its PROXY header.
    var clientAddress: SocketAddress
    private(set) var state: ConnectionState
    private(set) var client: Leg?
    /// What there is once the upstream is connected.
    private(set) var exchange: Exchange?
    /// The client's socket until it has a leg.
    private(set) var clientSocket: Socket
    private var dialer: Dialer?
    private(set) var upstreamAddress: SocketAddress?
    private(set) var connectDuration: Int64?
    private var firstByteDuration: Int64?
    /// Of a relay with `proxy_protocol` only.
    var proxy: ProxyExchange?
    /// Of a relay with `upstream: original-destination` only.
    var interception: Interception?
    /// Of a relay with `tls_routing` only, from the client's first bytes on.
    var hello: HelloExchange?
    /// What records it, and what recorded it before.
    var taps: [ConnectionTap] = []
    /// Which flows' ends the recordings know of.
    var endsTold = EndedFlows()
    var detachedTaps: [DetachedTap] = []
    /// The upstream's socket gets its keepalive only when the connection has lived for a while: most never need it.
    var hasUpstreamKeepalive = false
    /// How long the next wait for a reset is, milliseconds.
    private var resetDelay: UInt8 = 1
    /// When half of the connection, or a leg, ended: the loop's clock, milliseconds.
    var halfEndedAt: UInt64 = 0
    /// Looks whether the reset may pass; only while one waits.
    private var resetTimer: Timer?
    var startedAt: UInt64
    /// When the drain of its removed relay is over; nil while the relay is there.
    private(set) var drainsUntil: UInt64?

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
        state = ConnectionState(awaitsHeader: relay.acceptsProxy, awaitsHello: relay.tlsRoutes != nil)
        acceptedAt = WallClock.now
        acceptedTicks = EventLoop.nanoseconds
        startedAt = worker.loop.now
    }

    // MARK: Connecting

    /// Starts. The connection may be over when this returns.
    func open() {
        worker.note(deadline: relay.timeouts.lifetime, from: startedAt)
        switch state.phase {
        case .awaitingHeader: awaitHeader()
        case .awaitingHello: awaitHello()
        case .connecting, .relaying, .passingReset, .ended: connect()
        }
    }

    /// Starts to connect the upstream, for a client that is known.
    private func connect() {
        if relay.mustHearClient, worker.shared.tellsOpenings { worker.shared.observer.opened(record()) }
        if let settings = relay.interception, !findDestination(settings) { return }
        let dialer = Dialer(connection: self)
        self.dialer = dialer
        if !worker.taps.isEmpty { tapNew() }
        dialer.start()
        guard state.phase == .connecting else { return }
        worker.note(deadline: relay.timeouts.connect, from: connectingSince)
        // Not decided at once: from now on the client may be the first to go.
        _ = makeClientLeg(reading: false)
    }

    /// When connecting began, by the loop's clock: at accept, or when the PROXY header and the ClientHello were there.
    var connectingSince: UInt64 { hello?.connectingSince ?? proxy?.connectingSince ?? startedAt }

    func makeClientLeg(reading: Bool) -> Leg? {
        if let client { return client }
        var socket = Socket(adopting: -1)
        swap(&socket, &clientSocket)
        // A header may name a client of another kind than the socket is.
        client = makeLeg(socket, side: .client, isUnix: listenerAddress.isUnix, reading: reading)
        return client
    }

    private func makeLeg(_ socket: consuming Socket, side: Side, isUnix: Bool, reading: Bool) -> Leg? {
        do {
            return try Leg(
                connection: self, loop: worker.loop, socket: socket, side: side, isUnix: isUnix, reading: reading)
        } catch {
            watchRefused(side, error)
            return nil
        }
    }

    /// The kernel refused to change what a leg waits for. Events that were reported before still stand.
    func watchFailed(_ leg: Leg, _ error: UVError) {
        watchRefused(leg.side, error)
    }

    private func watchRefused(_ side: Side, _ error: UVError) {
        worker.logger.error(
            "epoll refused to watch a socket; its connection is reset",
            metadata: ["connection": "\(id)", "side": "\(side)", "error": "\(error) (\(error.name))"])
        happened(.watchRefused(error.errno))
    }

    /// The upstream is connected: called once by the dialer. It may have reset since, which its socket will not say
    /// again; what it sent before that can still be read.
    func connected(_ socket: consuming Socket, _ address: SocketAddress, failed error: Errno?) {
        var socket = socket
        // If the client's socket cannot be watched, the connection ends here, and not in order.
        socket.isResetWhenDropped = !address.isUnix
        upstreamAddress = address
        connectDuration = age
        guard let client = makeClientLeg(reading: true),
            let upstream = makeLeg(socket, side: .upstream, isUnix: address.isUnix, reading: true)
        else { return }
        exchange = Exchange(worker: worker, client: client, upstream: upstream)
        for tap in taps { tap.connected(to: address) }
        setTaps()
        if let hello { exchange?.up.hold(&hello.received) }
        if let version = relay.sendsProxy, error == nil { return startHeader(version) }
        happened(.connected)
        if let error { fail(upstream, error) }
    }

    /// No address could be connected: called once by the dialer.
    func connectFailed(_ failure: DialFailure) {
        upstreamAddress = failure.address
        happened(.connectFailed(failure.reason, failure.errno))
    }

    // MARK: Relaying

    /// A leg's socket is ready, or has failed.
    func legReady(_ leg: Leg, _ events: Poll.Events) {
        if events.contains(.error) { socketFailed(leg) }
        if events == .hangup { leg.hasHungUp = true }
        guard let exchange else { return readyBeforeBytes(leg) }
        if state.isMoving {
            if events.contains(.readable) {
                exchange.withFlow(from: leg) { report($0.sourceReady(), of: $0) }
            }
            if events.contains(.writable) {
                exchange.withFlow(to: leg) {
                    report($0.destinationReady(), of: $0)
                    finishReading($0)
                }
            }
        } else if state.phase == .connecting {
            readyBeforeBytes(leg)
        }
        if state.isMoving { exchange.settle() }
    }

    /// A leg is ready, or has failed, while no byte may pass yet.
    private func readyBeforeBytes(_ leg: Leg) {
        if state.phase == .awaitingHello {
            readHello()
        } else if proxy != nil {
            proxyReady(leg)
        }
        settle()
    }

    var upstream: Leg? { exchange?.upstream }
    var up: Flow? { exchange?.up }
    var down: Flow? { exchange?.down }
    func flow(from leg: Leg) -> Flow? { exchange?.flow(from: leg) }
    func flow(to leg: Leg) -> Flow? { exchange?.flow(to: leg) }
    func leg(_ side: Side) -> Leg? { side == .client ? client : upstream }

    /// Watches each leg for what its flows want now.
    func settle() {
        if state.isMoving { exchange?.settle() }
        if state.phase == .connecting { client?.await(reading: false, writing: false) }
    }

    /// Tells the state what moving bytes came to.
    @inline(__always)
    func report(_ outcome: Flow.Outcome, of flow: Flow) {
        if flow.direction == .down && firstByteDuration == nil && flow.delivered > 0 {
            firstByteDuration = age
        }
        if case .waiting = outcome { return }
        reportEnd(outcome, of: flow)
    }

    private func reportEnd(_ outcome: Flow.Outcome, of flow: Flow) {
        switch outcome {
        case .waiting:
            return
        case .sourceEnded:
            happened(.sourceEnded(flow.direction))
            if !flow.isBlocked { happened(.delivered(flow.direction)) }
        case .delivered:
            happened(.delivered(flow.direction))
        case .sourceFailed(let error):
            // That it has failed may be known from a send, which on a Unix socket leaves the error to be met again: it
            // stands behind the last byte, as an end of stream would.
            if flow.source.hasFailed { return reportEnd(.sourceEnded, of: flow) }
            fail(flow.source, error)
        case .destinationFailed(let error):
            fail(flow.destination, error)
        }
    }

    /// EPOLLERR: a leg's socket has an error.
    func socketFailed(_ leg: Leg) {
        if let error = leg.socket.takeError() { fail(leg, error) } else { leg.countUnknownError() }
    }

    func fail(_ leg: Leg, _ error: Errno) {
        leg.hasFailed = true
        leg.rest()
        happened(.legFailed(leg.side, error))
    }

    /// Reads what a failed leg still holds: no event will tell of it.
    func finishReading(_ flow: Flow) {
        while flow.source.hasFailed && !flow.isSourceDone && !flow.isBlocked && !flow.isWaitingForTap
            && state.phase == .relaying
        {
            report(flow.pump(sourceIsReadable: false), of: flow)
        }
    }

    // MARK: Carrying out

    /// Tells the state, and carries out what it answers. The connection may be over when this returns.
    func happened(_ event: ConnectionState.Event) {
        perform(state.handle(event))
    }

    private func perform(_ action: ConnectionState.Action) {
        switch action {
        case .none:
            break
        case .awaitHello:
            awaitHello()
        case .connect:
            connect()
        case .relay:
            dialer = nil
            up?.lastProgress = worker.loop.now
            down?.lastProgress = worker.loop.now
            worker.note(deadline: relay.timeouts.idle, from: worker.loop.now)
            settle()
        case .endWriting(let side):
            noteHalfEnded()
            leg(side)?.socket.endWriting()
            tapEnded(Direction(from: side.other))
        case .drain(let side):
            noteHalfEnded()
            guard let leg = leg(side), let out = flow(from: leg) else { return }
            flow(to: leg)?.cut()
            if out.isSourceDone {
                if !out.isBlocked { happened(.delivered(out.direction)) }
            } else {
                finishReading(out)
            }
        case .awaitSent(let side):
            if let failed = leg(side.other) { flow(to: failed)?.cut() }
            noteHalfEnded()
            awaitSent(side)
        case .end(let reset, let reason, let errno):
            end(reset: reset, reason, errno)
        }
    }

    private func noteHalfEnded() {
        halfEndedAt = worker.loop.now
        let bound = relay.timeouts.halfClose
        worker.note(deadline: bound > 0 ? bound : RelayRuntime.Timeouts.resetBound, from: halfEndedAt)
    }

    /// Resetting a socket throws away what it has not sent, and no event tells when it has: so look, often at first.
    private func awaitSent(_ side: Side) {
        guard let leg = leg(side), !leg.isUnix, !leg.hasFailed, leg.socket.unsentBytes > 0 else {
            happened(.resetMayPass)
            return
        }
        // Nothing is reported for a leg that rests, and the queue of one that was reset never empties.
        if leg.hasHungUp, let error = leg.socket.takeError() { return fail(leg, error) }
        let timer = resetTimer ?? Timer(loop: worker.loop) { [unowned self] in awaitSent(side) }
        resetTimer = timer
        timer.start(after: UInt64(resetDelay))
        resetDelay = min(resetDelay * 2, 50)
    }

    private func end(reset: Bool, _ reason: EndReason, _ errno: Errno?) {
        let record = record(
            ended: .init(
                time: WallClock.now, duration: age, reason: reason, errno: errno))
        dialer?.cancel()
        dialer = nil
        interception?.end(wasAnswered: (down?.delivered ?? 0) > 0, worker.loop.now)
        resetTimer?.close()
        resetTimer = nil
        up?.cut()
        down?.cut()
        client?.end(reset: reset)
        upstream?.end(reset: reset)
        if clientSocket.fd >= 0 {
            if reset && !listenerAddress.isUnix { clientSocket.resetOnClose() }
            clientSocket.close()
        }
        worker.ended(self, record)
    }

    /// Tapline ends the connection, for one of its own reasons.
    func end(because reason: EndReason) {
        happened(.decided(reason))
    }

    /// Its relay is gone: it may finish until then. The first such moment holds.
    func drain(until deadline: UInt64) {
        drainsUntil = drainsUntil ?? deadline
    }

    /// Since accept, nanoseconds of the monotonic clock.
    var age: Int64 { Int64(clamping: EventLoop.nanoseconds(since: acceptedTicks)) }
    /// The upstream's name is being looked up.
    var isWaitingForName: Bool { dialer?.isWaitingForName ?? false }

    /// A copy of what is known now.
    func record(ended end: ConnectionRecord.End? = nil) -> ConnectionRecord {
        var record = ConnectionRecord(
            id: id, relay: relay.name, generation: relay.generation, client: clientAddress, listener: listenerAddress,
            upstream: upstreamText, accepted: acceptedAt)
        record.upstreamAddress = upstreamAddress ?? dialer?.lastTried
        record.connectDuration = connectDuration
        record.firstByteDuration = firstByteDuration
        record.bytesUp = up?.delivered ?? 0
        record.bytesDown = down?.delivered ?? 0
        record.splicedUp = up?.spliced ?? 0
        record.splicedDown = down?.spliced ?? 0
        record.proxy = proxy?.facts
        record.refusal = interception?.refusal
        record.hello = hello?.facts
        record.end = end
        countRecorded(&record)
        return record
    }
}
