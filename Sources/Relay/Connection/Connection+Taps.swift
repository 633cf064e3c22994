internal import Configuration
internal import Recorder
internal import Recording
internal import Sockets

/// What records a connection.
extension Connection {
    /// Puts taps on a connection whose ends are known: that was just accepted, or whose PROXY header and ClientHello are
    /// there.
    func tapNew() {
        for tap in taps { tap.introduced(as: origin, acceptedTicks: acceptedTicks) }
        worker.taps.forEach(of: relay.identity) { recorder in
            guard recorder.plan.selection.takes(id, from: clientAddress),
                !taps.contains(where: { $0.recorder === recorder })
            else { return }
            taps.append(
                ConnectionTap(
                    recorder: recorder, lane: worker.lane(to: recorder), origin: origin, acceptedTicks: acceptedTicks))
        }
    }

    /// Records the connection from now on, if the recorder takes it; a recorder of one relay's files is this relay's. A
    /// connection has at most one recorder with records, so that every byte is recorded once: that of an earlier
    /// configuration ends here.
    func attach(_ recorder: Recorder) {
        let selection = recorder.plan.selection
        guard state.phase != .passingReset, state.phase != .ended, selection.includes(relay: relay.identity.name),
            selection.takes(id, from: clientAddress), !taps.contains(where: { $0.recorder === recorder })
        else { return }
        if state.awaitsClient {
            // The PROXY header decides whose it is, and so what else records it; the hello decides where it goes. A live
            // recording of this one connection waits with it.
            guard selection.connection != nil else { return }
            taps.append(
                ConnectionTap(
                    recorder: recorder, lane: worker.lane(to: recorder), origin: origin, upstreamAddress: nil,
                    upOffset: 0, downOffset: 0))
            return
        }
        let former = recorder.hasRecords ? taps.first { $0.recorder.hasRecords } : nil
        if let former { end(former) }
        guard let up, let down else {
            taps.append(
                ConnectionTap(
                    recorder: recorder, lane: worker.lane(to: recorder), origin: origin, acceptedTicks: acceptedTicks))
            return
        }
        // What is in a pipe is not recorded.
        taps.append(
            ConnectionTap(
                recorder: recorder, lane: worker.lane(to: recorder), origin: origin, upstreamAddress: upstreamAddress,
                upOffset: up.delivered + UInt64(up.inPipe), downOffset: down.delivered + UInt64(down.inPipe),
                endedFlows: endsTold))
        setTaps()
        // A flow that waited for the former has room in this one. The connection may be over afterwards.
        if former != nil { tapHasRoom() }
    }

    /// The recording of the connection ends, and the connection goes on.
    func detach(_ recorder: Recorder) {
        guard let tap = taps.first(where: { $0.recorder === recorder }) else { return }
        end(tap)
        setTaps()
        tapHasRoom()
    }

    private func end(_ tap: ConnectionTap) {
        taps.removeAll { $0 === tap }
        if let detached = tap.stopped() { detachedTaps.append(detached) }
    }

    /// Gives the flows what the connection has.
    func setTaps() {
        guard let exchange else { return }
        let view = worker.shared.observer.traffic
        let taps = taps.isEmpty && view == nil ? nil : FlowTaps(taps, connection: id, view: view)
        exchange.up.taps = taps
        exchange.down.taps = taps
    }

    /// A recording that had no room has some, or is gone.
    func tapHasRoom() {
        for flow in [up, down] {
            guard let flow, flow.isWaitingForTap, state.isMoving else {
                continue
            }
            report(flow.tapHasRoom(), of: flow)
            finishReading(flow)
        }
        settle()
    }

    /// A flow ended in order, and its end was passed on.
    func tapEnded(_ direction: Direction) {
        guard let flow = direction == .up ? up : down, endsTold.insert(direction) else { return }
        for tap in taps { tap.flowEnded(direction, at: flow.delivered) }
    }

    /// The connection is over: its end is reported when its recording is done with it.
    func tell(_ record: ConnectionRecord) {
        let shared = worker.shared
        if !taps.isEmpty, record.end?.reason == .clientClosed || record.end?.reason == .upstreamClosed {
            // Nothing had to be passed on for the flow that ended last.
            for direction in Direction.allCases { tapEnded(direction) }
        }
        let written = taps.first { $0.recorder.hasRecords }
        if let written {
            shared.recordings.pending.add(
                record, written.account, shared.recordings.counters(of: relay.name), taken: written.taken,
                isBlocking: written.recorder.isBlocking)
        } else {
            shared.observer.ended(record)
        }
        if !taps.isEmpty, let end = ConversationEnd(record) { for tap in taps { tap.ended(end) } }
        taps = []
    }

    /// Says in a record what recordings took of the connection so far.
    func countRecorded(_ record: inout ConnectionRecord) {
        let written = taps.filter(\.recorder.hasRecords)
        guard !written.isEmpty || !detachedTaps.isEmpty else { return }
        var recorded: UInt64 = 0
        var dropped: UInt64 = 0
        // The recorder's thread counts what is lost, and may be ahead of what this thread has counted.
        func count(_ taken: UInt64, _ missed: UInt64, lost: UInt64) {
            recorded &+= taken - min(taken, lost)
            dropped &+= missed &+ lost
        }
        for tap in detachedTaps {
            count(tap.taken, tap.missed, lost: tap.account.lost)
        }
        for tap in written {
            // At the end the recorder says what it lost.
            count(tap.taken, tap.missed, lost: record.end == nil ? tap.account.lost : 0)
        }
        record.recordedBytes = recorded
        record.droppedBytes = dropped
    }

    private var origin: ConversationOrigin {
        var name: String?
        if case .name(let host, _) = target { name = host }
        return ConversationOrigin(
            id: id, relay: relay.name, client: clientAddress, listener: listenerAddress,
            local: reachedAddress, upstream: upstreamText, upstreamName: name,
            upstreamPort: interception?.destination?.port ?? target.port, destination: interception?.destination,
            accepted: acceptedAt)
    }

    /// The address that the client reached, as far as it knows: a load balancer's, or the one that it was redirected from.
    var reachedAddress: SocketAddress { proxy?.destination ?? interception?.destination ?? localAddress }

    /// The address that the socket's peer reached: its listener's, unless that is every interface's.
    var localAddress: SocketAddress {
        guard listenerAddress.isWildcard else { return listenerAddress }
        let fd = client?.socket.localAddress ?? clientSocket.localAddress
        return fd ?? listenerAddress
    }
}

extension RelayRuntime.Target {
    /// The port; nil for a Unix socket.
    var port: UInt16? {
        switch self {
        case .name(_, let port), .linkLocal(_, _, let port): port
        case .address(let address): address.port
        case .originalDestination: nil
        }
    }
}

extension ConversationEnd {
    /// The end that recordings have of a connection; nil while it is open.
    fileprivate init?(_ record: ConnectionRecord) {
        guard let end = record.end else { return nil }
        self.init(
            time: end.time, reason: end.reason.rawValue, closedBy: end.reason.closedBy.rawValue,
            errno: end.errno?.name, bytesUp: record.bytesUp, bytesDown: record.bytesDown, recordedBytes: 0,
            droppedBytes: 0)
    }
}
