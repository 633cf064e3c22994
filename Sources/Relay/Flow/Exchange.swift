internal import EventLoop
internal import Sockets

/// The two legs of a connection, and a flow in each direction between them: from the connected upstream on.
///
/// Owned by its connection, on the worker's thread. All constants: an event passes through them without retaining a
/// reference.
final class Exchange {
    let client: Leg
    let upstream: Leg
    let up: Flow
    let down: Flow
    /// The same two, for a call that must not retain it.
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

    /// Watches each leg for what its flows wait for.
    @inline(__always)
    func settle() {
        client.wait(for: Self.events(of: client, reading: up, writing: down))
        upstream.wait(for: Self.events(of: upstream, reading: down, writing: up))
    }

    /// The events of a leg that is the source of one flow and the destination of the other.
    @inline(__always)
    private static func events(of leg: Leg, reading out: Flow, writing into: Flow) -> Poll.Events {
        var events: Poll.Events = []
        if out.wantsToRead { events.insert(leg.readsWhenWritable ? .writable : .readable) }
        if into.wantsToWrite { events.insert(.writable) }
        return events
    }
}
