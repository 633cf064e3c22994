public import Sockets

/// `interception:`, of a relay whose upstream is `original-destination`.
public struct InterceptionSettings: Hashable, Sendable {
    /// `allow`: the networks that may be connected to; nil: everything but loopback, whose services take whoever reaches
    /// them for a program of this machine.
    public var allow: [Network]?
    /// `mark`: the mark of every upstream socket (`SO_MARK`, socket(7)), by which rules tell Tapline's own traffic; nil:
    /// none.
    public var mark: UInt32?

    /// What may be intercepted.
    public init(allow: [Network]? = nil, mark: UInt32? = nil) {
        self.allow = allow
        self.mark = mark
    }

    /// Whether clients may be taken to an address.
    public func allows(_ destination: SocketAddress) -> Bool {
        guard let allow else { return !destination.isLoopback }
        return allow.contains { $0.contains(destination) }
    }
}

/// A mark of packets as it is written: `31344`, or `0x7a70` as nft writes it.
enum MarkText {
    /// Reads a mark. 0 is what every socket has without one.
    static func parse(_ text: String) throws(ValueError) -> UInt32 {
        let isHexadecimal = text.hasPrefix("0x") || text.hasPrefix("0X")
        let digits = isHexadecimal ? text.dropFirst(2) : text[...]
        // Of a sign `UInt32` takes a plus.
        guard digits.utf8.allSatisfy({ $0 != UInt8(ascii: "+") }),
            let mark = UInt32(digits, radix: isHexadecimal ? 16 : 10), mark != 0
        else {
            throw ValueError(
                "\(quoted(text)) is not a mark; write a number from 1 to 4294967295, or in hexadecimal as nft does, such as "
                    + "0x7a70")
        }
        return mark
    }

    /// The same as a text, in hexadecimal.
    static func text(of mark: UInt32) -> String { "0x" + String(mark, radix: 16) }
}
