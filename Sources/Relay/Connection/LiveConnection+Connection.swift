internal import EventLoop
internal import Sockets

/// The state of a connection, read on its worker's thread and only on request.
extension LiveConnection {
    /// A copy of a connection's state. `kernel`: with the kernel's view of each socket, four system calls each.
    init(_ connection: Connection, kernel: Bool) {
        self.init(record: ConnectionRecord(connection), state: State(connection), age: connection.age)
        wait = Wait(connection)
        isTapped = connection.up?.taps != nil
        client = LegState(connection.client, connection.peerAddress, kernel)
        if let leg = connection.upstream, let address = record.upstreamAddress {
            upstream = LegState(leg, address, kernel)
        }
        let now = connection.worker.loop.now
        if let flow = connection.up {
            up = FlowState(flow, now, held: flow.held, queued: upstream?.kernel?.sendQueue ?? 0)
        }
        if connection.exchange == nil {
            // No flow has begun: the client has been silent at least since the last stage was done.
            up.quiet = Monotonic.elapsed(from: connection.stages?.since ?? connection.startedAt, to: now)
        }
        if let flow = connection.down {
            down = FlowState(flow, now, held: flow.held, queued: client?.kernel?.sendQueue ?? 0)
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
        case .connecting where connection.upstreamWait != nil: self = .upstreamUp
        case .connecting: self = connection.isWaitingForName ? .name : .connect
        case .relaying, .passingReset, .ended: return nil
        }
    }
}

extension LiveConnection.FlowState {
    fileprivate init(_ flow: Flow, _ now: UInt64, held: Int, queued: Int) {
        self.init(
            held: held + flow.source.bufferedBytes, queued: queued,
            quiet: Monotonic.elapsed(from: flow.lastProgress, to: now), hasEnded: flow.isSourceDone,
            splices: flow.pipe != nil, hasMoved: flow.delivered > 0, awaitsRecording: flow.waits.contains(.tap))
    }
}

extension LiveConnection.LegState {
    fileprivate init(_ leg: Leg, _ address: SocketAddress, _ kernel: Bool) {
        self.init(address: address, hasFailed: leg.hasFailed, kernel: kernel ? leg.kernelState : nil)
    }
}

extension ConnectionRecord.Flows {
    /// The flows at a connection's end, before they are cut; nil if no byte could flow. With the kernel's queues: two
    /// system calls.
    init?(_ connection: Connection) {
        // While a stage is not done, what the sockets hold is its own, and no flow has begun.
        guard let exchange = connection.exchange, connection.stages?.current == nil else { return nil }
        let now = connection.worker.loop.now
        func state(_ flow: Flow) -> LiveConnection.FlowState {
            // A flow to a leg that has failed was cut, and what it held was discarded.
            let held = Int(clamping: UInt64(clamping: flow.held) &+ flow.discarded)
            let queued = flow.destination.isUnix ? 0 : flow.destination.unsentBytes
            return LiveConnection.FlowState(flow, now, held: held, queued: queued)
        }
        self.init(up: state(exchange.up), down: state(exchange.down))
    }
}
