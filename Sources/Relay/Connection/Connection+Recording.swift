internal import Configuration
internal import Recorder
internal import Recording
internal import Sockets

/// The recordings of a connection.
extension Connection {
    /// Attaches the worker's recorders: the client is known, and the upstream is not connected yet.
    func startRecording() {
        guard !worker.taps.isEmpty || !taps.isEmpty else { return }
        let origin = origin
        taps.introduce(as: origin, acceptedTicks: acceptedTicks)
        worker.taps.forEach(of: relay.identity) { recorder in
            guard recorder.plan.selection.includes(id, from: clientAddress), !taps.contains(recorder) else { return }
            add(
                ConnectionTap(
                    recorder: recorder, producer: worker.producer(to: recorder), origin: origin,
                    acceptedTicks: acceptedTicks))
        }
    }

    private func add(_ tap: ConnectionTap) {
        taps.add(tap)
        noteSessions(in: tap)
    }

    /// Records the connection from now on, if the recorder's selection includes it. A recorder with records replaces that
    /// of an earlier configuration.
    func attach(_ recorder: Recorder) {
        let selection = recorder.plan.selection
        guard state.phase != .passingReset, state.phase != .refusing, state.phase != .ended,
            selection.includes(relay: relay.identity.name),
            selection.includes(id, from: clientAddress), !taps.contains(recorder)
        else { return }
        guard isClientKnown else {
            // The stages decide the client's address, and so which recorders apply. Only a live recording of this one
            // connection is attached before; it begins when the client is known.
            guard selection.connection != nil else { return }
            add(
                ConnectionTap(
                    recorder: recorder, producer: worker.producer(to: recorder), origin: origin, upstreamAddress: nil,
                    upOffset: 0, downOffset: 0))
            return
        }
        let former = recorder.hasRecords ? taps.withRecords : nil
        if let former { _ = stop(former.recorder) }
        guard let up, let down else {
            add(
                ConnectionTap(
                    recorder: recorder, producer: worker.producer(to: recorder), origin: origin,
                    acceptedTicks: acceptedTicks))
            return
        }
        // Bytes in a pipe are not recorded.
        add(
            ConnectionTap(
                recorder: recorder, producer: worker.producer(to: recorder), origin: origin,
                upstreamAddress: upstreamAddress,
                upOffset: up.delivered + UInt64(up.inPipe), downOffset: down.delivered + UInt64(down.inPipe),
                endedFlows: taps.endedFlows))
        setTaps()
        // A flow that waited for the former recorder has room in this one. The connection may be over afterwards.
        if former != nil { tapHasRoom() }
    }

    /// Stops a recording; the connection continues.
    func detach(_ recorder: Recorder) {
        guard stop(recorder) else { return }
        setTaps()
        tapHasRoom()
    }

    private func stop(_ recorder: Recorder) -> Bool {
        stages?.context.encryptedLegs.stop(recorder)
        return taps.stop(recorder)
    }

    /// Passes the connection's taps to its flows.
    func setTaps() {
        guard let exchange else { return }
        let taps = taps.forFlows(of: id, view: worker.shared.observer.traffic)
        exchange.up.taps = taps
        exchange.down.taps = taps
    }

    /// A recording has room again, or is gone.
    func tapHasRoom() {
        for flow in [up, down] {
            guard let flow, flow.waits.contains(.tap), state.isMoving else { continue }
            report(flow.resume(from: .tap), of: flow)
            finishReading(flow)
        }
        settle()
    }

    /// A flow ended in order, and its end was passed on.
    func flowEnded(_ direction: Direction) {
        guard let flow = direction == .up ? up : down else { return }
        taps.flowEnded(direction, at: flow.delivered)
    }

    /// Reports the end of the connection, at once or when its recording is complete.
    func reportEnd(_ record: ConnectionRecord) {
        let shared = worker.shared
        if !taps.isEmpty, record.end?.reason == .clientClosed || record.end?.reason == .upstreamClosed {
            // The end of the flow that ended last was not passed on.
            for direction in Direction.allCases { flowEnded(direction) }
        }
        if let written = taps.withRecords {
            shared.recordings.pending.add(
                record, written.account, shared.recordings.counters(of: relay.name), taken: written.taken,
                isBlocking: written.recorder.isBlocking)
        } else {
            shared.observer.ended(record)
        }
        let hasEncrypted = stages?.context.encryptedLegs.isEmpty == false
        guard hasEncrypted || !taps.isEmpty, let end = ConversationEnd(record) else { return }
        // First, because the recorder of a single connection ends with it.
        if hasEncrypted { stages?.context.encryptedLegs.end(end) }
        taps.end(end)
    }

    private var origin: ConversationOrigin {
        let destination = destination
        var origin = ConversationOrigin(
            id: id, relay: relay.name, client: clientAddress, listener: listenerAddress, local: reachedAddress,
            upstream: destination.text, upstreamName: destination.endpoint?.hostName,
            upstreamPort: destination.endpoint?.port, destination: stages?.context.interception?.destination,
            accepted: acceptedAt)
        if let encrypted = stages?.context.encryptedLegs[.client] { origin.distinguish(from: encrypted.origin) }
        return origin
    }

    /// The address that the client reached.
    private var reachedAddress: SocketAddress {
        stages?.context.reachedAddress ?? client.localAddress(at: listenerAddress)
    }
}

extension ConversationEnd {
    /// A connection's end as recordings contain it; nil while the connection is open.
    fileprivate init?(_ record: ConnectionRecord) {
        guard let end = record.end else { return nil }
        self.init(
            time: end.time, reason: end.reason.rawValue, closedBy: (record.closedBy ?? end.reason.closedBy).rawValue,
            errno: end.errno?.name, bytesUp: record.bytesUp, bytesDown: record.bytesDown, recordedBytes: 0,
            droppedBytes: 0)
        upstream = record.upstream
        clientHeldMilliseconds = record.hold?.held
        attempts = record.attempts
        guard let backlog = record.backlog else { return }
        waitedFor = backlog.side.rawValue
        heldBytes = backlog.bytes
        waitedMilliseconds = backlog.milliseconds
    }
}
