public import Sockets

/// What is fixed about a recorded connection from its accept on; a copy, any thread may keep it.
public struct ConversationOrigin: Hashable, Sendable {
    /// The connection's number, unique in the process.
    public var id: UInt64
    /// The relay's name.
    public var relay: String
    /// The client's address as it is.
    public var client: SocketAddress
    /// The listener's address as it is bound: with the relay and the upstream it names the interface of a recording.
    public var listener: SocketAddress
    /// The address that the client reached; packets carry it. It differs from `listener` where that one stands for
    /// every interface.
    public var local: SocketAddress
    /// The upstream as configured, such as `example.com:80`.
    public var upstream: String
    /// The upstream's host name; nil where it is configured as an address or a Unix socket.
    public var upstreamName: String?
    /// The upstream's port; nil for a Unix socket.
    public var upstreamPort: UInt16?
    /// The upstream's address where it is the client's choice and known before anything is connected; else nil.
    public var destination: SocketAddress?
    /// The moment of accept, in nanoseconds since 1970 UTC.
    public var accepted: Int64

    /// What is fixed about a connection.
    public init(
        id: UInt64, relay: String, client: SocketAddress, listener: SocketAddress, local: SocketAddress,
        upstream: String, upstreamName: String?, upstreamPort: UInt16?, destination: SocketAddress? = nil,
        accepted: Int64
    ) {
        self.id = id
        self.relay = relay
        self.client = client
        self.listener = listener
        self.local = local
        self.upstream = upstream
        self.upstreamName = upstreamName
        self.upstreamPort = upstreamPort
        self.destination = destination
        self.accepted = accepted
    }
}

/// How a recorded connection ended; a copy, any thread may keep it.
public struct ConversationEnd: Hashable, Sendable {
    /// The moment, in nanoseconds since 1970 UTC.
    public var time: Int64
    /// A word of the closed list of end reasons, such as `client_closed`.
    public var reason: String
    /// `client`, `upstream` or `tapline`.
    public var closedBy: String
    /// The name of the system's error behind it; nil where there was none.
    public var errno: String?
    /// Bytes that the upstream took since the connection began.
    public var bytesUp: UInt64
    /// Bytes that the client took since the connection began.
    public var bytesDown: UInt64
    /// Where the recording of what the client sent ends, counted in the flow's bytes; less than `bytesUp` where not all of
    /// it was to be recorded.
    public var upEnd: UInt64
    /// The same of what the upstream sent.
    public var downEnd: UInt64
    /// Bytes of both flows that the tap took.
    public var recordedBytes: UInt64
    /// Bytes of both flows that it had to leave out.
    public var droppedBytes: UInt64

    /// How a connection ended. Where `upEnd` and `downEnd` are left out, all of the flows was to be recorded.
    public init(
        time: Int64, reason: String, closedBy: String, errno: String?, bytesUp: UInt64, bytesDown: UInt64,
        upEnd: UInt64? = nil, downEnd: UInt64? = nil, recordedBytes: UInt64, droppedBytes: UInt64
    ) {
        self.time = time
        self.reason = reason
        self.closedBy = closedBy
        self.errno = errno
        self.bytesUp = bytesUp
        self.bytesDown = bytesDown
        self.upEnd = upEnd ?? bytesUp
        self.downEnd = downEnd ?? bytesDown
        self.recordedBytes = recordedBytes
        self.droppedBytes = droppedBytes
    }

    /// Whether both flows ended with a FIN; every other end shows as a reset.
    public var isOrderly: Bool { reason == "client_closed" || reason == "upstream_closed" }
}
