internal import Recording
internal import Sockets

/// What a connection has once its upstream is connected: the two legs, and a flow each way between them.
///
/// Owned by its connection, on the worker's thread. All constants: an event finds its way through them without counting
/// a reference.
final class Exchange {
    let client: Leg
    let upstream: Leg
    let up: Flow
    let down: Flow
    /// The same two, for a call that must not count a reference.
    private let callableUp: Unmanaged<Flow>
    private let callableDown: Unmanaged<Flow>

    init(worker: Worker, client: Leg, upstream: Leg) {
        self.client = client
        self.upstream = upstream
        up = Flow(direction: .up, worker: worker, source: client, destination: upstream)
        down = Flow(direction: .down, worker: worker, source: upstream, destination: client)
        callableUp = .passUnretained(up)
        callableDown = .passUnretained(down)
    }

    /// Calls with the flow out of a leg. The exchange outlives the call, and so do its flows.
    @inline(__always)
    func withFlow(from leg: Leg, _ body: (Flow) -> Void) {
        (leg.side == .client ? callableUp : callableDown)._withUnsafeGuaranteedRef(body)
    }

    /// Calls with the flow into a leg.
    @inline(__always)
    func withFlow(to leg: Leg, _ body: (Flow) -> Void) {
        (leg.side == .client ? callableDown : callableUp)._withUnsafeGuaranteedRef(body)
    }

    @inline(__always)
    func flow(from leg: Leg) -> Flow { leg.side == .client ? up : down }
    @inline(__always)
    func flow(to leg: Leg) -> Flow { leg.side == .client ? down : up }

    /// Watches each leg for what its flows want now.
    @inline(__always)
    func settle() {
        client.await(reading: up.wantsToRead, writing: down.wantsToWrite)
        upstream.await(reading: down.wantsToRead, writing: up.wantsToWrite)
    }
}
