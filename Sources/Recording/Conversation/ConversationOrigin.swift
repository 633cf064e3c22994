public import Sockets

/// The constant properties of a recorded connection, known when it is accepted. A value; any thread.
public struct ConversationOrigin: Hashable, Sendable {
    /// The connection's ID, unique in the process.
    public var id: UInt64
    /// The encrypted leg that is recorded; nil: what is relayed, in plaintext.
    public var leg: Leg?
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

    /// The leg of a connection whose encrypted bytes are recorded as a conversation of their own.
    public struct Leg: Hashable, Sendable {
        /// The side of the relay.
        public let side: Side
        /// The leg's number among those of its connection, from 1 on: an upstream may be connected several times.
        public let number: UInt8

        /// A leg.
        public init(side: Side, number: UInt8) {
            self.side = side
            self.number = number
        }
    }

    /// Distinguishes the conversations of a recorder: the connection's ID, and above it the leg's number. No process
    /// has 2⁵⁶ connections.
    public var key: UInt64 { id | UInt64(leg?.number ?? 0) << 56 }

    /// Gives packets another server address, 127.86.0.1, if they would have the same addresses and ports as those of
    /// the encrypted leg, because the listener has the upstream's port: Wireshark would take both for one connection.
    public mutating func distinguish(from encrypted: ConversationOrigin) {
        guard PacketPath(self).hasSameEnds(as: PacketPath(encrypted)) else { return }
        local = .ipv4(IPv4Address(bits: 0x7F56_0001), port: local.port ?? 1)
    }

    /// The properties of a connection.
    public init(
        id: UInt64, relay: String, client: SocketAddress, listener: SocketAddress, local: SocketAddress,
        upstream: String, upstreamName: String?, upstreamPort: UInt16?, destination: SocketAddress? = nil,
        accepted: Int64, leg: Leg? = nil
    ) {
        self.id = id
        self.leg = leg
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
