internal import Glibc

/// An IPv4 address (RFC 791).
public struct IPv4Address: Hashable, Sendable {
    /// The 32 bits in this machine's byte order.
    public let bits: UInt32

    /// Wraps 32 bits in this machine's byte order.
    public init(bits: UInt32) {
        self.bits = bits
    }

    /// Parses dotted-decimal text (four parts, no leading zeros); nil for anything else.
    public init?(_ text: String) {
        var address = in_addr()
        guard inet_pton(AF_INET, text, &address) == 1 else { return nil }
        bits = UInt32(bigEndian: address.s_addr)
    }

    /// 127.0.0.1.
    public static let loopback = IPv4Address(bits: 0x7F00_0001)
    /// 0.0.0.0, every interface.
    public static let any = IPv4Address(bits: 0)

    /// Whether the address is in 127.0.0.0/8 (RFC 1122, section 3.2.1.3).
    public var isLoopback: Bool { bits >> 24 == 127 }
}

extension IPv4Address: CustomStringConvertible {
    /// Dotted decimal.
    public var description: String {
        "\(bits >> 24).\(bits >> 16 & 0xFF).\(bits >> 8 & 0xFF).\(bits & 0xFF)"
    }
}

/// An IPv6 address (RFC 4291), without its zone.
public struct IPv6Address: Hashable, Sendable {
    /// The first 64 bits in this machine's byte order.
    public let high: UInt64
    /// The last 64 bits in this machine's byte order.
    public let low: UInt64

    /// Wraps 128 bits in this machine's byte order.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Parses the text forms of RFC 4291, section 2.2, without brackets or zone; nil for anything else.
    public init?(_ text: String) {
        var address = in6_addr()
        guard inet_pton(AF_INET6, text, &address) == 1 else { return nil }
        self.init(address)
    }

    init(_ address: in6_addr) {
        let words = withUnsafeBytes(of: address) { bytes in
            (
                bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
            )
        }
        high = UInt64(bigEndian: words.0)
        low = UInt64(bigEndian: words.1)
    }

    var raw: in6_addr {
        var address = in6_addr()
        withUnsafeMutableBytes(of: &address) { bytes in
            bytes.storeBytes(of: high.bigEndian, toByteOffset: 0, as: UInt64.self)
            bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        return address
    }

    /// ::1.
    public static let loopback = IPv6Address(high: 0, low: 1)
    /// ::, every interface.
    public static let any = IPv6Address(high: 0, low: 0)

    /// Whether this is ::1 or an IPv4-mapped loopback address.
    public var isLoopback: Bool { self == .loopback || mappedIPv4?.isLoopback == true }

    /// Whether it is link-local unicast (fe80::/10; RFC 4291, section 2.5.6), which is ambiguous without an interface.
    public var isLinkLocal: Bool { high >> 54 == 0xFE80 >> 6 }

    /// The IPv4 address inside an IPv4-mapped one (::ffff:a.b.c.d; RFC 4291, section 2.5.5.2).
    public var mappedIPv4: IPv4Address? {
        guard high == 0, low >> 32 == 0xFFFF else { return nil }
        return IPv4Address(bits: UInt32(truncatingIfNeeded: low))
    }
}

extension IPv6Address: CustomStringConvertible {
    /// The shortest text (RFC 5952).
    public var description: String {
        var address = raw
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
            guard let base = buffer.baseAddress,
                let text = inet_ntop(AF_INET6, &address, base, socklen_t(buffer.count))
            else { return "::" }
            return String(cString: text)
        }
    }
}
