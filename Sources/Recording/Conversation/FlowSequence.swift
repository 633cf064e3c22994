/// Where one flow of a recorded connection stands: a trivial value inside a `Conversation`.
struct FlowSequence {
    /// The initial sequence number.
    let initial: UInt32
    /// How many bytes of the flow passed since the connection began, recorded or not.
    var passed: UInt64 = 0
    /// How many of them its receiver has acknowledged.
    var acknowledged: UInt64 = 0
    /// Whether its sender's SYN, and its FIN, went.
    var hasBegun = false
    /// Whether its FIN went.
    var hasEnded = false
    /// Whether its receiver acknowledged the FIN.
    var isEndAcknowledged = false

    init(initial: UInt32) {
        self.initial = initial
    }

    /// The number of the next byte. The SYN and the FIN take one number each (RFC 9293, section 3.4), which wrap at 2^32.
    var next: UInt32 {
        initial &+ (hasBegun ? 1 : 0) &+ UInt32(truncatingIfNeeded: passed) &+ (hasEnded ? 1 : 0)
    }

    /// Whether its receiver has something to acknowledge.
    var isAcknowledgementDue: Bool { passed > acknowledged || hasEnded && !isEndAcknowledged }

    /// The receiver acknowledges all of it.
    mutating func acknowledge() {
        acknowledged = passed
        isEndAcknowledged = hasEnded
    }

    /// Moves on to where an event of the flow begins; returns how many bytes lie between that were not recorded.
    mutating func skip(to offset: UInt64) -> UInt64 {
        assert(offset >= passed, "bytes of a flow recorded twice")
        guard offset > passed else { return 0 }
        defer { passed = offset }
        return offset - passed
    }
}
