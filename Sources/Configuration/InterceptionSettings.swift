public import Sockets

/// `interception:`, of a relay whose upstream is `original-destination`.
public struct InterceptionSettings: Hashable, Sendable {
    /// `allow`: the destinations that are permitted; nil: everything but loopback, whose services take every client for a
    /// local program.
    public var allow: [Network]?
    /// `mark`: the mark of every upstream socket (`SO_MARK`, socket(7)), by which firewall rules recognise
    /// Tapline's own traffic; nil: none.
    public var mark: UInt32?

    /// Settings with these values.
    public init(allow: [Network]? = nil, mark: UInt32? = nil) {
        self.allow = allow
        self.mark = mark
    }

    /// Whether clients may be forwarded to an address.
    public func allows(_ destination: SocketAddress) -> Bool {
        guard let allow else { return !destination.isLoopback }
        return allow.contains { $0.contains(destination) }
    }
}

/// Packet marks in a configuration: `31344`, or `0x7a70` as nft writes them.
enum MarkText {
    /// Parses a mark. 0 is excluded: it is the mark of unmarked sockets.
    static func parse(_ text: String) throws(ValueError) -> UInt32 {
        let isHexadecimal = text.hasPrefix("0x") || text.hasPrefix("0X")
        let digits = isHexadecimal ? text.dropFirst(2) : text[...]
        // `UInt32` would accept a plus sign.
        guard digits.utf8.allSatisfy({ $0 != UInt8(ascii: "+") }),
            let mark = UInt32(digits, radix: isHexadecimal ? 16 : 10), mark != 0
        else {
            throw ValueError(
                "\(quoted(text)) is not a mark; write a number from 1 to 4294967295, or in hexadecimal as in nft, such as "
                    + "0x7a70")
        }
        return mark
    }

    /// The mark in hexadecimal.
    static func text(of mark: UInt32) -> String { "0x" + String(mark, radix: 16) }
}
