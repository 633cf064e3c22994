internal import Sockets

/// One end of a conversation, as packets name it.
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

    /// The address as the rest of Tapline has it: an IPv4-mapped one is IPv4.
    var address: SocketAddress {
        if isIPv4 { return .ipv4(IPv4Address(bits: UInt32(truncatingIfNeeded: low)), port: port) }
        let address = IPv6Address(high: high, low: low)
        return address.mappedIPv4.map { .ipv4($0, port: port) } ?? .ipv6(address, port: port)
    }
}

/// A TCP segment (RFC 9293, section 3.1) as far as a reader of streams needs it.
struct TCPSegment {
    var source: TCPEndpoint
    var destination: TCPEndpoint
    var sequence: UInt32
    var acknowledgement: UInt32
    var flags: Flags
    /// The window as it stands in the header, not scaled.
    var window: UInt16
    /// The window scale that a SYN offers; nil where it has none.
    var windowScale: UInt8?
    /// What was captured of its bytes.
    var payload: ArraySlice<UInt8>
    /// How many bytes it carried.
    var length: Int

    struct Flags: OptionSet, Hashable, Sendable {
        var rawValue: UInt8
        static let fin = Flags(rawValue: 1)
        static let syn = Flags(rawValue: 2)
        static let rst = Flags(rawValue: 4)
        static let ack = Flags(rawValue: 16)
    }
}
