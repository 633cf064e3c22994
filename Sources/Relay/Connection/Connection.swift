internal import Configuration
internal import EventLoop
internal import Logging
internal import Recorder
internal import Sockets
internal import Text

/// One accepted client with the upstream socket opened for it, from accept to the end record.
///
/// Owned by its worker, on the worker's thread. `ConnectionState` has the rules, and this type the effects: it owns the two
/// legs and the two flows, passes events to the state, and performs the actions that the state returns.
final class Connection: DialerDelegate {
    // MARK: Fixed at init

    let id: UInt64
    /// Strong while the worker has the connection in its list: see `Flow`.
    let worker: Worker
    /// The settings that the connection started with; a reload does not change them.
    let relay: RelayRuntime
    let listenerAddress: SocketAddress
    let peerAddress: SocketAddress
    let client: Leg
    /// Nanoseconds since 1970 UTC, and of the monotonic clock; then the loop's clock.
    let acceptedAt: Int64
    let acceptedTicks: UInt64
    let startedAt: UInt64

    // MARK: The loop's thread only

    /// The connection's index in the worker's list.
    var index = 0
    private(set) var state: ConnectionState
    /// The stages before bytes flow, and their results; nil on a plain relay.
    private(set) var stages: StageRun?
    /// The client's address and its upstream are known: at accept, or when the identifying stages are done.
    private(set) var isClientKnown = false
    /// The loop's clock when connecting began.
    private(set) var connectingSince: UInt64
    private(set) var dialer: Dialer?
    /// How the client is held, or was, until the upstream is up (`timeouts.wait`); nil before the first failed attempt.
    var upstreamWait: UpstreamWait?
    /// Set when the upstream is connected.
    private(set) var exchange: Exchange?
    private(set) var upstreamAddress: SocketAddress?
    private(set) var connectDuration: Int64?
    private(set) var firstByteDuration: Int64?
    var taps = ConnectionTaps()
    /// The upstream's socket gets its keepalive only when the connection has lasted a while: most never need it.
    var hasUpstreamKeepalive = false
    /// Milliseconds until the send queue is checked again.
    var resetDelay: UInt8 = 1
    /// Attempts to connect the upstream.
    private(set) var attempts: UInt32 = 0
    /// When half of the connection, or a leg, ended: the loop's clock, milliseconds.
    var halfEndedAt: UInt64 = 0
    /// Checks the send queue while a reset waits for it.
    var resetTimer: Timer?
    /// When the drain of the removed relay ends; nil while the relay exists.
    var drainsUntil: UInt64?

    init(
        id: UInt64, worker: Worker, relay: RelayRuntime, client socket: consuming Socket, address: SocketAddress,
        listener: SocketAddress
    ) {
        self.id = id
        self.worker = worker
        self.relay = relay
        peerAddress = address
        listenerAddress = listener
        // A PROXY header may have a client of another family than the socket's.
        client = Leg(loop: worker.loop, socket: socket, side: .client, isUnix: listener.isUnix)
        state = ConnectionState(prepares: !relay.stages.preparing.isEmpty, greets: !relay.stages.greeting.isEmpty)
        acceptedAt = WallClock.now
        acceptedTicks = EventLoop.nanoseconds
        startedAt = worker.loop.now
        connectingSince = startedAt
        if !relay.stages.isEmpty { stages = makeStages(of: relay) }
        client.belongs(to: self)
    }

    private func makeStages(of settings: RelayRuntime) -> StageRun {
        let context = StageContext(
            id: id, worker: worker, relay: settings, listener: listenerAddress, peer: peerAddress, client: client,
            acceptedTicks: acceptedTicks)
        return StageRun(settings.stages, context)
    }

    // MARK: Before bytes flow

    /// Takes the stages after the connect from later settings of the relay: a held client gets their upstream. Returns
    /// false if no route of theirs is for the client's ClientHello.
    func takeStages(of settings: RelayRuntime) -> Bool {
        state.greets = !settings.stages.greeting.isEmpty
        if let stages { return stages.takeUpstream(of: settings) }
        if state.greets { stages = makeStages(of: settings) }
        return true
    }

    /// Starts. The connection may be over when this returns.
    func open() {
        worker.note(deadline: relay.timeouts.lifetime, from: startedAt)
        if relay.stages.identifying == 0 { clientIsKnown() }
        if state.phase == .preparing { runStages() } else { connect() }
    }

    private func clientIsKnown() {
        isClientKnown = true
        if worker.shared.reportsOpenings { worker.shared.observer.opened(ConnectionRecord(self)) }
    }

    /// Runs the stages of the phase until one waits. The connection may be over when this returns.
    private func runStages() {
        guard let stages else { return }
        while state.isStaging {
            let outcome = stages.step(leg)
            state.isReplyDue = stages.context.request?.isReplyDue ?? false
            switch outcome {
            case .wait:
                if let deadline = stages.current?.deadline { worker.note(deadline: deadline.limit, from: stages.since) }
                return settle()
            case .done:
                if state.phase == .preparing, stages.hasJustIdentified { clientIsKnown() }
            case .end(let end):
                return endStages(end, stages.current?.side ?? .client)
            case nil:
                return happened(state.stagesDone)
            }
        }
    }

    private func endStages(_ end: StageEnd, _ side: Side) {
        switch end {
        case .ended: happened(.sourceEnded(Direction(from: side)))
        case .refused(let reason): happened(.decided(reason))
        case .refusedInWords(let reason):
            state.isReplyDue = true
            happened(.decided(reason))
        case .unreachable(let failure):
            state.isReplyDue = state.isReplyDue || stages?.context.lastWords != nil
            connectFailed(failure)
        case .legFailed(let error):
            guard state.phase == .greeting, side == .upstream, !state.isReplyDue, let upstream,
                !upstream.isShakingHands
            else { return happened(failure(of: side, error)) }
            // Bytes sent before the failure can still be read.
            upstream.hasFailed = true
            happened(.greeted)
            fail(upstream, error)
        }
    }

    private func connect() {
        startRecording()
        dial()
    }

    /// Starts an attempt to connect the upstream. The connection may be over when this returns.
    func dial() {
        connectingSince = worker.loop.now
        attempts &+= 1
        upstreamAddress = nil
        dialer?.cancel()
        let dialer = Dialer(to: upstreamSettings.proxy ?? destination, resources: worker.dialing, delegate: self)
        self.dialer = dialer
        dialer.start()
        // A greeting has the connect timeout, too.
        guard state.isOpening else { return }
        worker.note(deadline: relay.timeouts.connect, from: connectingSince)
        // Not connected at once: the client may now end the connection first.
        settle()
    }

    // MARK: The dialer

    func connected(_ socket: consuming Socket, to address: SocketAddress, failed error: Errno?) {
        upstreamAddress = address
        let usesProxy = upstreamSettings.proxy != nil
        if !usesProxy { connectDuration = age }
        if upstreamWait != nil { endHolding(isConnected: true) }
        let upstream = Leg(loop: worker.loop, socket: socket, side: .upstream, isUnix: address.isUnix)
        upstream.belongs(to: self)
        exchange = Exchange(worker: worker, client: client, upstream: upstream)
        taps.connected(to: address)
        setTaps()
        // Before any byte is sent to it: its own error is the reason, and not that of a later send.
        upstream.hasFailed = error != nil
        if usesProxy {
            // A proxy's bytes are not the upstream's: the greeting reads its reply, which may have come before the error.
            stages?.context.upstreamFailure = error
            return happened(.connected(failed: false))
        }
        // The client may have no reply yet that the upstream's bytes could follow.
        if let error, state.isReplyDue { return happened(.legFailed(.upstream, error)) }
        happened(.connected(failed: error != nil))
        if let error { fail(upstream, error) }
    }

    func connectFailed(_ failure: DialFailure) {
        upstreamAddress = failure.address ?? upstreamAddress
        endEncryptedUpstream(failure)
        guard !isHeld(after: failure) else { return }
        happened(.connectFailed(failure.reason, failure.errno))
    }

    /// The kernel refused to change what a leg waits for. Events that were reported before are still valid.
    func watchFailed(_ leg: Leg, _ error: UVError) {
        worker.logger.error(
            "epoll refused to watch a socket; its connection is reset",
            metadata: [
                "connection": .stringConvertible(id), "side": "\(leg.side)", "error": "\(error) (\(error.name))",
            ])
        happened(.watchRefused(error.errno))
    }

    // MARK: Relaying

    /// A leg's socket is ready, or has failed.
    func legReady(_ leg: Leg, _ events: Poll.Events) {
        guard state.isMoving, let exchange else { return readyBeforeBytes(leg, events) }
        if events.contains(.error) {
            socketFailed(leg)
            guard state.isMoving else { return }
        }
        if events == .hangup { leg.hasHungUp = true }
        if events.contains(.readable) {
            exchange.withFlow(from: leg) { report($0.sourceReady(), of: $0) }
        }
        if events.contains(.writable) {
            let readsNow = leg.readsWhenWritable && !events.contains(.readable)
            exchange.withFlow(to: leg) {
                report($0.destinationReady(), of: $0)
                finishReading($0)
            }
            if readsNow, state.isMoving { exchange.withFlow(from: leg) { report($0.sourceReady(), of: $0) } }
        }
        if state.isMoving { exchange.settle() }
    }

    /// A leg is ready, or has failed, while no byte may flow yet.
    private func readyBeforeBytes(_ leg: Leg, _ events: Poll.Events) {
        let isGreeting = state.phase == .greeting && leg.side == .upstream && stages?.current?.side == .upstream
        // What a side sent before its error can still be read, such as the alert that says why it gives up, and the stage's
        // own read reports the error.
        let readsFirst = isGreeting || leg.isShakingHands
        if events.contains(.error) {
            if readsFirst { stages?.context.hasReset = true } else { socketFailed(leg) }
        }
        if events == .hangup { leg.hasHungUp = true }
        if state.isStaging, stages?.current?.side == leg.side { runStages() }
        if events.contains(.error), readsFirst, !leg.hasFailed,
            isGreeting ? state.phase == .greeting : state.isOpening
        {
            socketFailed(leg)
        }
        settle()
    }

    var upstream: Leg? { exchange?.upstream }
    var up: Flow? { exchange?.up }
    var down: Flow? { exchange?.down }
    func flow(from leg: Leg) -> Flow? { exchange?.flow(from: leg) }
    func flow(to leg: Leg) -> Flow? { exchange?.flow(to: leg) }
    func leg(_ side: Side) -> Leg? { side == .client ? client : upstream }

    /// Watches each leg for what its flows, or its stage, wait for.
    func settle() {
        if state.isMoving {
            exchange?.settle()
        } else if state.isOpening {
            client.wait(for: stages?.awaited(on: .client) ?? [])
            upstream?.wait(for: stages?.awaited(on: .upstream) ?? [])
        }
    }

    /// Passes the result of moving bytes to the state.
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
            if !flow.isBlocked, case .delivered = flow.finish() { happened(.delivered(flow.direction)) }
        case .delivered:
            happened(.delivered(flow.direction))
        case .sourceFailed(let error):
            // A send may have met the error before; on a Unix socket it is then reported again after the last byte, where it
            // counts as an end of stream.
            if flow.source.hasFailed { return reportEnd(.sourceEnded, of: flow) }
            fail(flow.source, error)
        case .destinationFailed(let error):
            fail(flow.destination, error)
        }
    }

    // MARK: Actions

    /// Passes an event to the state and performs its action. The connection may be over when this returns.
    func happened(_ event: ConnectionState.Event) {
        perform(state.handle(event))
    }

    private func perform(_ action: ConnectionState.Action) {
        switch action {
        case .none: break
        case .connect: connect()
        case .greet:
            dialer = nil
            stages?.beginGreeting()
            runStages()
        case .refuse(let reason, let errno):
            upstreamAddress = upstreamAddress ?? dialer?.lastTried
            if upstreamWait != nil { endHolding(isConnected: false) }
            dialer?.cancel()
            dialer = nil
            stages?.beginRefusing(reason, errno)
            runStages()
        case .relay:
            dialer = nil
            connectDuration = connectDuration ?? age
            up?.lastProgress = worker.loop.now
            down?.lastProgress = worker.loop.now
            worker.note(deadline: relay.timeouts.idle, from: worker.loop.now)
            // epoll does not report buffered bytes.
            for flow in [up, down] {
                guard let flow, flow.source.hasBuffered, !flow.destination.hasFailed, state.isMoving else { continue }
                report(flow.sourceReady(), of: flow)
            }
            settle()
        case .endWriting(let side):
            noteHalfEnded()
            leg(side)?.endWriting()
            if let context = stages?.context { noteEnd(passedTo: side, context) }
            flowEnded(Direction(from: side.other))
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
            if let context = stages?.context, hasClosedUnread(side.other, context) { return happened(.closedUnread) }
            noteHalfEnded()
            awaitSent(side)
        case .end(let reset, let reason, let errno):
            end(reset: reset, reason, errno)
        }
    }

    private func end(reset: Bool, _ reason: EndReason, _ errno: Errno?) {
        let record = ConnectionRecord(
            self, ended: .init(time: WallClock.now, duration: age, reason: reason, errno: errno))
        dialer?.cancel()
        dialer = nil
        if upstreamWait != nil { endHolding(isConnected: false) }
        stages?.context.interception?.end(wasAnswered: (down?.delivered ?? 0) > 0, worker.loop.now)
        resetTimer?.close()
        resetTimer = nil
        up?.cut()
        down?.cut()
        client.end(reset: reset)
        upstream?.end(reset: reset)
        worker.ended(self, record)
    }

    /// Tapline ends the connection, for one of its own reasons.
    func end(because reason: EndReason) {
        happened(.decided(reason))
    }

    /// The client's address: the socket's peer, or the source in its PROXY header.
    var clientAddress: SocketAddress { stages?.context.clientAddress ?? peerAddress }
    /// The destination of the connect.
    var destination: Destination { stages?.context.destination ?? upstreamSettings.destination }
    /// The settings for its upstream: those that it started with, or later ones that a held client got by a reload.
    var upstreamSettings: RelayRuntime { upstreamWait?.relay ?? relay }
}
