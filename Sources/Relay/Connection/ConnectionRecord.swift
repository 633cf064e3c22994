public import Sockets

/// The facts of one connection, open or ended: the single source of end records, metrics, recordings and the admin API.
///
/// A copy, made by the connection's worker; any thread may keep it.
public struct ConnectionRecord: Hashable, Sendable {
    /// How a connection ended.
    public struct End: Hashable, Sendable {
        /// The moment, in nanoseconds since 1970 UTC.
        public var time: Int64
        /// From accept to the end, in nanoseconds of the monotonic clock.
        public var duration: Int64
        /// The reason, which also implies who closed.
        public var reason: EndReason
        /// The system's error that caused it; nil if there was none.
        public var errno: Errno?

        /// An end.
        public init(time: Int64, duration: Int64, reason: EndReason, errno: Errno?) {
            self.time = time
            self.duration = duration
            self.reason = reason
            self.errno = errno
        }
    }

    /// The two flows when the connection ended: what they held, since when nothing had moved, and which had ended.
    public struct Flows: Hashable, Sendable {
        /// From the client to the upstream.
        public var up: LiveConnection.FlowState
        /// From the upstream to the client.
        public var down: LiveConnection.FlowState

        /// The flows of one connection.
        public init(up: LiveConnection.FlowState, down: LiveConnection.FlowState) {
            self.up = up
            self.down = down
        }

        /// The flow to a side.
        public func flow(to side: Side) -> LiveConnection.FlowState { side == .client ? down : up }

        /// What a side had not taken; of two such sides, the one that had accepted nothing for longer.
        fileprivate var backlog: Backlog? {
            let sides: [Side] = up.quiet > down.quiet ? [.upstream, .client] : [.client, .upstream]
            return sides.lazy.compactMap { Backlog($0, flow(to: $0)) }.first
        }
    }

    /// Bytes that a side does not take.
    public struct Backlog: Hashable, Sendable {
        /// The side that does not read; the other one waits for it.
        public var side: Side
        /// Bytes for it, held by Tapline and in the kernel's send queue.
        public var bytes: UInt64
        /// Since its socket last took bytes, milliseconds.
        public var milliseconds: UInt64

        /// Nil while the flow moves, or is empty.
        init?(_ side: Side, _ flow: LiveConnection.FlowState) {
            guard flow.isBlocked else { return nil }
            self.side = side
            bytes = UInt64(clamping: flow.held) &+ UInt64(clamping: flow.queued)
            milliseconds = flow.quiet
        }
    }

    // MARK: From accept on
    /// Unique in the process.
    public var id: UInt64
    /// The relay's name.
    public var relay: String
    /// The configuration's number when the connection was accepted.
    public var generation: Int
    /// The client's address: the socket's peer, or the source in its PROXY header.
    public var client: SocketAddress
    /// The address of the listener that accepted it.
    public var listener: SocketAddress
    /// The upstream as configured, or the destination as the client requested it.
    public var upstream: String
    /// The moment of accept, in nanoseconds since 1970 UTC.
    public var accepted: Int64

    // MARK: While it is open
    /// The address connected, or tried last; nil before the first attempt.
    public var upstreamAddress: SocketAddress?
    /// From accept to connected, in nanoseconds; nil until then.
    public var connectDuration: Int64?
    /// Attempts to connect the upstream, or its proxy, so far; one attempt may try several addresses of a name.
    public var attempts: UInt64 = 0
    /// How the client was held until the upstream was up; nil if it was not.
    public var hold: HoldFacts?
    /// From accept to the first byte that the client took, in nanoseconds; nil until then.
    public var firstByteDuration: Int64?
    /// Bytes that the upstream's socket has taken.
    public var bytesUp: UInt64 = 0
    /// Bytes that the client's socket has taken.
    public var bytesDown: UInt64 = 0
    /// The bytes of each flow that were spliced.
    public var splicedUp: UInt64 = 0
    /// The bytes of each flow that were spliced.
    public var splicedDown: UInt64 = 0
    /// Bytes that the tap took; nil without a tap.
    public var recordedBytes: UInt64?
    /// Bytes that the tap could not take; nil without a tap.
    public var droppedBytes: UInt64?

    /// The facts of the PROXY protocol; nil for relays that do not use it, and before there are any.
    public var proxy: ProxyFacts?
    /// The facts of the client's TLS ClientHello; nil for relays that do not route by it, and before it has been read.
    public var hello: TLSFacts?
    /// The facts of the client's request for a destination; nil for relays with an upstream of their own, and before the
    /// request.
    public var request: RequestFacts?

    /// The proxy through which the upstream is connected, and then `upstreamAddress` is the proxy's; nil without one.
    public var upstreamProxy: UpstreamProxyFacts?

    /// The facts of the TLS sessions; nil for relays without them.
    public var sessions: SessionFacts?

    /// Why a connection was not connected to its original or requested destination; nil for all others.
    public var refusal: DestinationRefusal?

    // MARK: At the end
    /// The end; nil while the connection is open.
    public var end: End?
    /// The flows at the end, if Tapline ended the connection or a side timed out; nil otherwise, and before bytes flow.
    public var flows: Flows?

    /// The record of a connection just accepted.
    public init(
        id: UInt64, relay: String, generation: Int, client: SocketAddress, listener: SocketAddress, upstream: String,
        accepted: Int64
    ) {
        self.id = id
        self.relay = relay
        self.generation = generation
        self.client = client
        self.listener = listener
        self.upstream = upstream
        self.accepted = accepted
    }

    /// The bytes that a side did not take, if that explains the end: those of the side that timed out, or of the side that
    /// had accepted nothing for longer. Nil if none were waiting.
    public var backlog: Backlog? {
        guard let flows else { return nil }
        switch end?.reason {
        case .clientTimedOut: return Backlog(.client, flows.down)
        case .upstreamTimedOut: return Backlog(.upstream, flows.up)
        default: return flows.backlog
        }
    }

    /// The party that ended the connection; nil while it is open. A failed session names its side.
    public var closedBy: ClosedBy? {
        guard let reason = end?.reason else { return nil }
        guard reason.isOfSession, let side = sessions?.fault?.side else { return reason.closedBy }
        return side == .client ? .client : .upstream
    }

    /// The client as text; `unix:` for a client on a Unix socket, even if it bound an address.
    public var clientText: String {
        client.isUnix ? "unix:" : client.description
    }

    /// The sender of the PROXY header as text; nil without a header.
    public var proxiedBy: String? {
        proxy?.peer.map { $0.isUnix ? "unix:" : $0.description }
    }
}
