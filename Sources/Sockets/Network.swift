/// A network of IP addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.
public struct Network: Hashable, Sendable {
    private enum Prefix: Hashable, Sendable {
        case ipv4(UInt32, mask: UInt32)
        case ipv6(high: UInt64, low: UInt64, highMask: UInt64, lowMask: UInt64)
    }

    private let prefix: Prefix
    private let text: String

    /// Parses `ADDRESS/LENGTH` or `ADDRESS`; nil if it is neither, or if bits beyond the length are set.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first else { return nil }
        let length: Int?
        if parts.count == 2 {
            guard let number = Int(parts[1]), String(number) == parts[1], number >= 0 else { return nil }
            length = number
        } else {
            length = nil
        }
        if let address = IPv4Address(String(first)) {
            guard (length ?? 32) <= 32 else { return nil }
            let mask = ~UInt32(0) << UInt32(32 - (length ?? 32))
            guard address.bits & ~mask == 0 else { return nil }
            prefix = .ipv4(address.bits, mask: mask)
        } else if let address = IPv6Address(String(first)) {
            let length = length ?? 128
            guard length <= 128 else { return nil }
            let high = ~UInt64(0) << UInt64(64 - min(length, 64))
            let low = ~UInt64(0) << UInt64(64 - max(length - 64, 0))
            guard address.high & ~high == 0, address.low & ~low == 0 else { return nil }
            prefix = .ipv6(high: address.high, low: address.low, highMask: high, lowMask: low)
        } else {
            return nil
        }
        self.text = text
    }

    /// Whether it contains an address; false for a Unix socket.
    public func contains(_ address: SocketAddress) -> Bool {
        switch (prefix, address) {
        case (.ipv4(let bits, let mask), .ipv4(let address, _)):
            address.bits & mask == bits
        case (.ipv6(let high, let low, let highMask, let lowMask), .ipv6(let address, _, _)):
            address.high & highMask == high && address.low & lowMask == low
        default: false
        }
    }
}

extension Network: CustomStringConvertible {
    /// The text as written.
    public var description: String { text }
}
