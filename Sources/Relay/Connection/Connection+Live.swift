internal import EventLoop
internal import Recording
internal import Sockets

/// A connection's state while it is open. On the worker's thread, and only on request: nothing here is
/// kept up to date in between.
extension Connection {
    /// A copy of how it stands. `kernel`: the sockets are asked too, some five system calls each.
    func live(kernel: Bool) -> LiveConnection {
        let record = record()
        var live = LiveConnection(record: record, state: liveState, age: age)
        live.awaitsHeader = state.phase == .awaitingHeader
        live.awaitsHello = state.phase == .awaitingHello
        live.awaitsName = state.phase == .connecting && isWaitingForName
        live.isTapped = up?.taps != nil
        if let up { live.up = flowState(up) }
        if let down { live.down = flowState(down) }
        if let client { live.client = legState(client, record.proxy?.peer ?? record.client, kernel) }
        if let upstream, let address = record.upstreamAddress {
            live.upstream = legState(upstream, address, kernel)
        }
        return live
    }

    /// Adds its sums so far to its relay's. It reads numbers only: a record, with its addresses and texts, costs five times
    /// as much.
    func count(into figures: inout RelayFigures) {
        figures.count(
            bytesUp: up?.delivered ?? 0, bytesDown: down?.delivered ?? 0, splicedUp: up?.spliced ?? 0,
            splicedDown: down?.spliced ?? 0, connectDuration: connectDuration)
    }

    private var liveState: LiveConnection.State {
        if state.phase == .connecting || state.awaitsClient { return .connecting }
        if state.failedSide != nil { return .resetting }
        // Also while what was sent before the end is still on its way.
        return (up?.isSourceDone ?? false) || (down?.isSourceDone ?? false) ? .halfClosed : .open
    }

    private func flowState(_ flow: Flow) -> LiveConnection.FlowState {
        LiveConnection.FlowState(
            held: flow.keptCount + flow.inPipe,
            quiet: Monotonic.elapsed(from: flow.lastProgress, to: worker.loop.now),
            hasEnded: flow.isSourceDone, splices: flow.pipe != nil, hasMoved: flow.delivered > 0,
            awaitsRecording: flow.isWaitingForTap)
    }

    private func legState(_ leg: Leg, _ address: SocketAddress, _ kernel: Bool) -> LiveConnection.LegState {
        var state = LiveConnection.LegState(address: address, hasFailed: leg.hasFailed)
        guard kernel, !leg.isUnix, let info = leg.socket.info else { return state }
        state.kernel = LiveConnection.KernelFigures(
            info: info, sendQueue: leg.socket.unsentBytes, receiveQueue: leg.socket.unreadBytes,
            congestionControl: leg.socket.congestionControl)
        return state
    }
}
