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

    // MARK: As it goes on
    /// The address connected, or tried last; nil before the first attempt.
    public var upstreamAddress: SocketAddress?
    /// From accept to connected, in nanoseconds; nil until then.
    public var connectDuration: Int64?
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

    /// Why a connection was not connected to its original or requested destination; nil for all others.
    public var refusal: DestinationRefusal?

    // MARK: At the end
    /// The end; nil while the connection is open.
    public var end: End?

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

    /// The client as text; `unix:` for a client on a Unix socket, even if it bound an address.
    public var clientText: String {
        client.isUnix ? "unix:" : client.description
    }

    /// The sender of the PROXY header as text; nil without a header.
    public var proxiedBy: String? {
        proxy?.peer.map { $0.isUnix ? "unix:" : $0.description }
    }
}
