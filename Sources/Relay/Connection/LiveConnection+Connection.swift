internal import EventLoop
internal import Sockets

/// The state of a connection, read on its worker's thread and only on request.
extension LiveConnection {
    /// A copy of a connection's state. `kernel`: with the kernel's view of each socket, four system calls each.
    init(_ connection: Connection, kernel: Bool) {
        self.init(record: ConnectionRecord(connection), state: State(connection), age: connection.age)
        wait = Wait(connection)
        isTapped = connection.up?.taps != nil
        let now = connection.worker.loop.now
        if let flow = connection.up { up = FlowState(flow, now) }
        if let flow = connection.down { down = FlowState(flow, now) }
        client = LegState(connection.client, connection.peerAddress, kernel)
        if let leg = connection.upstream, let address = record.upstreamAddress {
            upstream = LegState(leg, address, kernel)
        }
    }
}

extension LiveConnection.State {
    fileprivate init(_ connection: Connection) {
        if connection.state.isOpening {
            self = .connecting
        } else if connection.state.failedSide != nil {
            self = .resetting
        } else {
            // Also while bytes sent before the end are still being delivered.
            let isHalfClosed = (connection.up?.isSourceDone ?? false) || (connection.down?.isSourceDone ?? false)
            self = isHalfClosed ? .halfClosed : .open
        }
    }
}

extension LiveConnection.Wait {
    /// Nil when the connection is open.
    fileprivate init?(_ connection: Connection) {
        switch connection.state.phase {
        case .preparing, .greeting, .refusing: self = connection.stages?.current?.waitsFor ?? .connect
        case .connecting: self = connection.isWaitingForName ? .name : .connect
        case .relaying, .passingReset, .ended: return nil
        }
    }
}

extension LiveConnection.FlowState {
    fileprivate init(_ flow: Flow, _ now: UInt64) {
        self.init(
            held: flow.held + flow.source.bufferedBytes, quiet: Monotonic.elapsed(from: flow.lastProgress, to: now),
            hasEnded: flow.isSourceDone,
            splices: flow.pipe != nil, hasMoved: flow.delivered > 0, awaitsRecording: flow.waits.contains(.tap))
    }
}

extension LiveConnection.LegState {
    fileprivate init(_ leg: Leg, _ address: SocketAddress, _ kernel: Bool) {
        self.init(address: address, hasFailed: leg.hasFailed, kernel: kernel ? leg.kernelState : nil)
    }
}
