public import Sockets

/// The constant properties of a recorded connection, known when it is accepted. A value; any thread.
public struct ConversationOrigin: Hashable, Sendable {
    /// The connection's ID, unique in the process.
    public var id: UInt64
    /// The relay's name.
    public var relay: String
    /// The client's real address.
    public var client: SocketAddress
    /// The listener's bound address; with the relay and the upstream it identifies the interface in a recording.
    public var listener: SocketAddress
    /// The address that the client reached, which the packets have. It differs from `listener` if that is a wildcard.
    public var local: SocketAddress
    /// The upstream as configured, such as `example.com:80`.
    public var upstream: String
    /// The upstream's host name; nil if it is configured as an address or a Unix socket.
    public var upstreamName: String?
    /// The upstream's port; nil for a Unix socket.
    public var upstreamPort: UInt16?
    /// The upstream's address if the client chose it, before anything is connected; otherwise nil.
    public var destination: SocketAddress?
    /// The time of accept, nanoseconds since 1970 UTC.
    public var accepted: Int64

    /// The properties of a connection.
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
