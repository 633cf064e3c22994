public import Sockets

/// One TCP segment of a recorded connection, without its payload. A trivial value, created by a `Conversation` and
/// written by a `PcapngOutput`.
public struct Segment: Hashable, Sendable {
    /// The control bits of a TCP header (RFC 9293, section 3.1).
    public struct Flags: OptionSet, Hashable, Sendable {
        /// The header's bits.
        public let rawValue: UInt8

        /// Wraps the header's bits.
        @inlinable
        public init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        /// The sender's flow ends.
        public static let fin = Flags(rawValue: 0x01)
        /// The sender's first segment.
        public static let syn = Flags(rawValue: 0x02)
        /// The connection is reset.
        public static let rst = Flags(rawValue: 0x04)
        /// The receiver should pass the data on at once.
        public static let psh = Flags(rawValue: 0x08)
        /// The acknowledgement number is valid.
        public static let ack = Flags(rawValue: 0x10)
    }

    /// The event that a segment's comment describes.
    public enum Occasion: UInt8, Hashable, Sendable {
        /// No comment.
        case none
        /// The kinds of `RecordingComment` with the same names.
        case opened, connected, stopped, ended
    }

    /// The largest payload: with IPv4 and TCP headers the largest IPv4 packet (RFC 791).
    public static let largestPayload = 65_495

    /// The time, nanoseconds since 1970 UTC.
    public var time: Int64
    /// The flow that it belongs to; the flow's source sent it.
    public var direction: Direction
    /// The control bits.
    public var flags: Flags
    /// The sequence number of its first byte.
    public var sequence: UInt32
    /// The acknowledgement number; 0 without the ACK bit.
    public var acknowledgement: UInt32
    /// The offset of its payload in the flow, including the gap.
    public var offset: UInt64
    /// The offset of its payload in the event's bytes.
    public var payloadOffset: Int
    /// The size of its payload in bytes.
    public var payloadCount: Int
    /// The number of unrecorded bytes directly before its payload.
    public var gapBytes: UInt64
    /// The event that its comment describes.
    public var occasion: Occasion
    /// Whether it is the first segment of a recording that starts in the middle of the connection.
    public var isJoining: Bool

    /// The smallest number of segments that the gap would have needed.
    public var gapSegments: UInt64 {
        let (whole, rest) = gapBytes.quotientAndRemainder(dividingBy: UInt64(Self.largestPayload))
        return whole + (rest > 0 ? 1 : 0)
    }

    /// Whether it is the last segment of its conversation.
    public var isLast: Bool { occasion == .ended || occasion == .stopped }
}
