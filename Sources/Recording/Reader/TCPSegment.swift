internal import Sockets

/// One endpoint of a conversation.
struct TCPEndpoint: Hashable, Comparable, Sendable {
    /// The upper half of an IPv6 address; 0 for IPv4.
    var high: UInt64
    /// The lower half, or the 32 bits of an IPv4 address.
    var low: UInt64
    var port: UInt16
    var isIPv4: Bool

    static func < (left: TCPEndpoint, right: TCPEndpoint) -> Bool {
        (left.high, left.low, left.port) < (right.high, right.low, right.port)
    }

    /// The address; an IPv4-mapped one becomes IPv4.
    var address: SocketAddress {
        if isIPv4 { return .ipv4(IPv4Address(bits: UInt32(truncatingIfNeeded: low)), port: port) }
        let address = IPv6Address(high: high, low: low)
        return address.mappedIPv4.map { .ipv4($0, port: port) } ?? .ipv6(address, port: port)
    }
}

/// The parts of a TCP segment that stream reassembly needs (RFC 9293, section 3.1).
struct TCPSegment {
    var source: TCPEndpoint
    var destination: TCPEndpoint
    var sequence: UInt32
    var acknowledgement: UInt32
    var flags: Flags
    /// The header's window, unscaled.
    var window: UInt16
    /// The window scale of a SYN, if any.
    var windowScale: UInt8?
    /// The captured part of its payload.
    var payload: ArraySlice<UInt8>
    /// The length of its payload on the wire.
    var length: Int

    struct Flags: OptionSet, Hashable, Sendable {
        var rawValue: UInt8
        static let fin = Flags(rawValue: 1)
        static let syn = Flags(rawValue: 2)
        static let rst = Flags(rawValue: 4)
        static let ack = Flags(rawValue: 16)
    }
}
