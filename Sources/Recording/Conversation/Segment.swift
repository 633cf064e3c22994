public import Sockets

/// One TCP segment of a recorded connection, still without its payload: a trivial value, made by a `Conversation` and
/// written by a `PcapngOutput`, or by several.
public struct Segment: Hashable, Sendable {
    /// The control bits of a TCP header (RFC 9293, section 3.1).
    public struct Flags: OptionSet, Hashable, Sendable {
        /// The bits as they stand in the header.
        public let rawValue: UInt8

        /// The bits as they stand in the header.
        @inlinable
        public init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        /// The sender's flow ends here.
        public static let fin = Flags(rawValue: 0x01)
        /// The sender's first segment.
        public static let syn = Flags(rawValue: 0x02)
        /// The connection is reset.
        public static let rst = Flags(rawValue: 0x04)
        /// The receiver should hand the data on at once.
        public static let psh = Flags(rawValue: 0x08)
        /// The acknowledgement number counts.
        public static let ack = Flags(rawValue: 0x10)
    }

    /// What a segment has to say in a comment of its own.
    public enum Occasion: UInt8, Hashable, Sendable {
        /// Nothing.
        case none
        /// See the kinds of `RecordingComment` of the same names.
        case opened, connected, stopped, ended
    }

    /// The most payload that a segment carries: with IPv4 and TCP headers it is the largest IPv4 packet (RFC 791).
    public static let largestPayload = 65_495

    /// The moment, in nanoseconds since 1970 UTC.
    public var time: Int64
    /// The direction that it travels in; its source sent it.
    public var direction: Direction
    /// The control bits.
    public var flags: Flags
    /// The number of its first byte.
    public var sequence: UInt32
    /// The number of the byte that its sender waits for; 0 without the ACK bit.
    public var acknowledgement: UInt32
    /// How many bytes of its flow came before its payload since the connection began, the gap's included.
    public var offset: UInt64
    /// Where its payload begins in the bytes of the event that it was made of.
    public var payloadOffset: Int
    /// How many bytes of payload it carries.
    public var payloadCount: Int
    /// How many bytes just before its payload are not recorded.
    public var gapBytes: UInt64
    /// What it has to say.
    public var occasion: Occasion
    /// Whether it is the first one of a recording that starts in the middle of its connection.
    public var isJoining: Bool

    /// How many segments a gap would have filled, at the least.
    public var gapSegments: UInt64 {
        let (whole, rest) = gapBytes.quotientAndRemainder(dividingBy: UInt64(Self.largestPayload))
        return whole + (rest > 0 ? 1 : 0)
    }

    /// Whether it is the last one of its conversation.
    public var isLast: Bool { occasion == .ended || occasion == .stopped }
}
