internal import Sockets

/// The addresses of a conversation's packets, prepared for headers; a trivial value.
///
/// The client's packets go from its real address and port to the address that it reached. Their destination port is the
/// upstream's, not the listener's, because Wireshark chooses the protocol by it. Unix sockets get substitutes: a client
/// is 127.85.X.Y with port 49152 + ID % 16384, where X.Y are the next 16 bits of the connection's ID; a listener is
/// 127.0.0.1; Tapline's end of an encrypted leg to a Unix upstream is 127.86.X.Y. If the upstream is a Unix socket, the
/// listener's port is used, or 1 if both are Unix sockets.
struct PacketPath {
    /// Whether the packets are IPv6; then an IPv4 address is in its mapped form.
    let isIPv6: Bool
    let client: IPv6Address
    let server: IPv6Address
    let clientPort: UInt16
    let serverPort: UInt16
    /// The sum of the 16-bit words of both addresses (RFC 1071), unfolded.
    let addressSum: UInt64

    init(_ origin: ConversationOrigin) {
        let client: SocketAddress
        if origin.client.isUnix {
            let block = UInt32(truncatingIfNeeded: (origin.id / 16384) & 0xFFFF)
            // Tapline's end of an encrypted leg to a Unix upstream must differ from a Unix client.
            let network: UInt32 = origin.leg?.side == .upstream ? 0x7F56_0000 : 0x7F55_0000
            client = .ipv4(
                IPv4Address(bits: network | block), port: 49152 + UInt16(truncatingIfNeeded: origin.id % 16384))
        } else {
            client = origin.client
        }
        let server = origin.local.isUnix ? .ipv4(.loopback, port: 1) : origin.local
        clientPort = client.port ?? 0
        serverPort = origin.upstreamPort ?? server.port ?? 0
        let isIPv6 = client.isIPv6 || server.isIPv6
        self.isIPv6 = isIPv6
        self.client = Self.wide(client)
        self.server = Self.wide(server)
        let wordSum: (IPv6Address) -> UInt64 = { address in
            isIPv6 ? address.high.wordSum + address.low.wordSum : address.ipv4Bits.wordSum
        }
        addressSum = wordSum(Self.wide(client)) + wordSum(Self.wide(server))
    }

    /// Whether both have the same addresses and ports.
    func hasSameEnds(as other: PacketPath) -> Bool {
        (client, server) == (other.client, other.server)
            && (clientPort, serverPort) == (other.clientPort, other.serverPort)
    }

    /// An address as 128 bits; IPv4 in its mapped form (RFC 4291, section 2.5.5.2).
    private static func wide(_ address: SocketAddress) -> IPv6Address {
        switch address {
        case .ipv4(let address, _): IPv6Address(high: 0, low: 0xFFFF_0000_0000 | UInt64(address.bits))
        case .ipv6(let address, _, _): address
        case .unix: .any
        }
    }
}

extension IPv6Address {
    /// The last 32 bits: the IPv4 address of a mapped one.
    var ipv4Bits: UInt64 { low & 0xFFFF_FFFF }
}

extension UInt64 {
    /// The sum of its four 16-bit words.
    fileprivate var wordSum: UInt64 { (self >> 48) + (self >> 32 & 0xFFFF) + (self >> 16 & 0xFFFF) + (self & 0xFFFF) }
}
