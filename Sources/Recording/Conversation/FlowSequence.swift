/// The sequence state of one flow of a recorded connection; a trivial value in a `Conversation`.
struct FlowSequence {
    /// The initial sequence number.
    let initial: UInt32
    /// Bytes of the flow since the connection began, recorded or not.
    var passed: UInt64 = 0
    /// Bytes that the receiver has acknowledged.
    var acknowledged: UInt64 = 0
    /// Whether the SYN was sent.
    var hasBegun = false
    /// Whether the FIN was sent.
    var hasEnded = false
    /// Whether the receiver has acknowledged the FIN.
    var isEndAcknowledged = false

    init(initial: UInt32) {
        self.initial = initial
    }

    /// The sequence number of the next byte, modulo 2^32. SYN and FIN take one number each (RFC 9293, section 3.4).
    var next: UInt32 {
        initial &+ (hasBegun ? 1 : 0) &+ UInt32(truncatingIfNeeded: passed) &+ (hasEnded ? 1 : 0)
    }

    /// Whether the receiver has something to acknowledge.
    var isAcknowledgementDue: Bool { passed > acknowledged || hasEnded && !isEndAcknowledged }

    /// The receiver acknowledges everything sent.
    mutating func acknowledge() {
        acknowledged = passed
        isEndAcknowledged = hasEnded
    }

    /// Advances to the offset of an event; returns the number of skipped bytes, which were not recorded.
    mutating func skip(to offset: UInt64) -> UInt64 {
        assert(offset >= passed, "bytes of a flow recorded twice")
        guard offset > passed else { return 0 }
        defer { passed = offset }
        return offset - passed
    }
}
