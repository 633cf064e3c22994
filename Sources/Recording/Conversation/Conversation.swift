public import Sockets

/// The synthetic TCP of one recorded connection: turns events of the relay into segments.
///
/// The relay handles streams, not packets, so a conversation synthesises packets that could have carried them. Sequence
/// numbers follow from the flows' offsets (an initial number derived from the connection's ID, plus one, plus the
/// offset, modulo 2^32); receivers acknowledge at least every 256 KiB and before a FIN; each flow ends with its own
/// FIN. The same events always produce the same packets.
///
/// Owned by a recorder, on one thread at a time. Data and FINs allocate nothing. Times are nanoseconds since 1970 UTC;
/// offsets count the bytes delivered to a flow's destination since the connection began, recorded or not.
public final class Conversation {
    /// The constant properties of the connection.
    public let origin: ConversationOrigin
    /// The connected upstream address, or the last one tried; nil before that.
    public private(set) var upstreamAddress: SocketAddress?
    /// How the connection ended; nil while it is open.
    public private(set) var end: ConversationEnd?
    /// The origin's key.
    public let key: UInt64
    /// Lines of the key log that decrypt an encrypted leg, each with its end.
    public private(set) var secrets: [UInt8] = []
    /// Sessions that the next segment's comments report.
    var newSessions: [ConversationSecurity] = []
    let path: PacketPath
    private var up: FlowSequence
    private var down: FlowSequence
    private var isJoining = false

    /// The largest number of unacknowledged bytes.
    static let largestUnacknowledged: UInt64 = 256 * 1024

    /// A conversation before its first event.
    public init(_ origin: ConversationOrigin) {
        key = origin.key
        self.origin = origin
        path = PacketPath(origin)
        let numbers = Self.scatter(key)
        up = FlowSequence(initial: UInt32(truncatingIfNeeded: numbers >> 32))
        down = FlowSequence(initial: UInt32(truncatingIfNeeded: numbers))
    }

    /// Spreads consecutive IDs over all numbers: the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast Splittable
    /// Pseudorandom Number Generators", OOPSLA 2014).
    private static func scatter(_ id: UInt64) -> UInt64 {
        var bits = id &+ 0x9E37_79B9_7F4A_7C15
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }

    /// Bytes of a flow since the connection began, according to the events so far.
    public func passed(_ direction: Direction) -> UInt64 {
        direction == .up ? up.passed : down.passed
    }

    /// The session of an encrypted leg has derived keys.
    public func add(secrets lines: [UInt8]) {
        secrets += lines
    }

    /// A TLS handshake is complete: the next segment has a comment about it.
    public func secured(_ session: ConversationSecurity) {
        newSessions.append(session)
    }

    // MARK: Start

    /// The client was accepted, at the origin's time: returns the SYN.
    public func accepted() -> Segment {
        up.hasBegun = true
        var syn = bare(.up, [.syn], time: origin.accepted)
        syn.sequence = up.initial
        syn.occasion = .opened
        return syn
    }

    /// The upstream was connected: returns the second and third segment of the handshake.
    public func connected(
        time: Int64, upstreamAddress: SocketAddress
    ) -> (synAck: Segment, ack: Segment) {
        self.upstreamAddress = upstreamAddress
        up.hasBegun = true
        down.hasBegun = true
        var synAck = bare(.down, [.syn, .ack], time: time)
        synAck.sequence = down.initial
        synAck.occasion = .connected
        return (synAck, bare(.up, [.ack], time: time))
    }

    /// Turns a new conversation into that of an open connection: there is no handshake, and the next segment's comment
    /// says that the recording starts in the middle.
    public func resumed(
        upOffset: UInt64, downOffset: UInt64, isConnected: Bool, upHasEnded: Bool = false, downHasEnded: Bool = false,
        upstreamAddress: SocketAddress? = nil
    ) {
        self.upstreamAddress = upstreamAddress ?? self.upstreamAddress
        up.passed = upOffset
        down.passed = downOffset
        up.hasBegun = true
        down.hasBegun = isConnected
        up.hasEnded = upHasEnded
        down.hasEnded = downHasEnded
        up.acknowledge()
        down.acknowledge()
        isJoining = true
    }

    // MARK: Data

    /// Bytes were relayed. `offset` is the first byte's; a distance from the flow's last byte is a gap. The caller gets
    /// the segments from `next` until it returns nil, before it reports another event.
    public func beginData(direction: Direction, offset: UInt64, count: Int, time: Int64) -> DataCursor {
        let gap = direction == .up ? up.skip(to: offset) : down.skip(to: offset)
        // The gap's bytes must not be acknowledged before the segment that follows the gap.
        if gap > 0 { acknowledge(direction) }
        return DataCursor(direction: direction, time: time, remaining: count, gap: gap)
    }

    /// The next segment of the event: data, or the receiver's acknowledgement if it is due; nil at the end.
    public func next(_ cursor: inout DataCursor) -> Segment? {
        guard cursor.remaining > 0 else { return nil }
        return cursor.direction == .up ? next(&cursor, &up, to: &down) : next(&cursor, &down, to: &up)
    }

    @inline(__always)
    private func next(
        _ cursor: inout DataCursor, _ flow: inout FlowSequence, to receiver: inout FlowSequence
    ) -> Segment {
        let count = min(cursor.remaining, Segment.largestPayload)
        let unacknowledged = flow.passed &- flow.acknowledged
        // Before the first acknowledgement of data, Wireshark uses the unscaled window of the handshake and reports a
        // segment that ends exactly there as a full window.
        let largest = flow.acknowledged == 0 ? UInt64(Segment.largestPayload) : Self.largestUnacknowledged
        if unacknowledged > 0, unacknowledged &+ UInt64(count) > largest {
            return bare(
                Direction(from: cursor.direction.destination), [.ack], time: cursor.time, from: receiver, to: &flow)
        }
        var segment = bare(cursor.direction, [.psh, .ack], time: cursor.time, from: flow, to: &receiver)
        segment.payloadOffset = cursor.payloadOffset
        segment.payloadCount = count
        segment.gapBytes = cursor.gap
        flow.passed &+= UInt64(count)
        cursor.payloadOffset &+= count
        cursor.remaining &-= count
        cursor.gap = 0
        return segment
    }

    // MARK: End

    /// A flow ended with a FIN. `offset` is the length of the flow if known: bytes missing at its end are a gap before
    /// the FIN. Returns each flow's FIN only once.
    public func ended(
        direction: Direction, offset: UInt64? = nil, time: Int64
    ) -> (acknowledgement: Segment?, fin: Segment?) {
        let flow = direction == .up ? up : down
        guard !flow.hasEnded else { return (nil, nil) }
        var acknowledgement: Segment?
        if flow.passed > flow.acknowledged {
            acknowledgement = bare(Direction(from: direction.destination), [.ack], time: time)
        }
        let gap = skip(direction, to: offset)
        var fin = bare(direction, [.fin, .ack], time: time)
        fin.gapBytes = gap
        if direction == .up { up.hasEnded = true } else { down.hasEnded = true }
        return (acknowledgement, fin)
    }

    /// The connection ended. Returns the outstanding FINs and the last acknowledgement if both flows ended with a FIN;
    /// otherwise a reset from the side that ended the connection, or from the listener's side if Tapline did. The last
    /// segment has the comment with the reason and the totals.
    public func closed(_ end: ConversationEnd) -> [Segment] {
        self.end = end
        var segments: [Segment] = []
        if end.isOrderly {
            let first: Direction = end.reason == "client_closed" ? .up : .down
            for direction in [first, Direction(from: first.destination)] {
                let offset = direction == .up ? end.upEnd : end.downEnd
                let (acknowledgement, fin) = ended(direction: direction, offset: offset, time: end.time)
                segments += [acknowledgement, fin].compactMap { $0 }
            }
            segments.append(lastAcknowledgement(time: end.time))
        } else {
            segments.append(reset(by: end.closedBy == Side.client.rawValue ? .up : .down, end))
        }
        segments[segments.count - 1].occasion = .ended
        return segments
    }

    private func reset(by direction: Direction, _ end: ConversationEnd) -> Segment {
        let gap = skip(direction, to: direction == .up ? end.upEnd : end.downEnd)
        var reset = bare(direction, [.rst, .ack], time: end.time)
        // A reset that refuses a SYN has the sequence number 0 (RFC 9293, section 3.5.2).
        if direction == .down, !down.hasBegun { reset.sequence = 0 }
        reset.gapBytes = gap
        return reset
    }

    /// The recording stops while the connection is open: returns an acknowledgement with that comment.
    public func stopped(time: Int64) -> Segment {
        var segment = lastAcknowledgement(time: time)
        segment.occasion = .stopped
        return segment
    }

    /// An acknowledgement without data. If nothing is left to acknowledge, Wireshark must not report a duplicate:
    /// before the SYN-ACK it is the listener's first segment; later the client acknowledges one byte less than before,
    /// like an acknowledgement that arrived late.
    private func lastAcknowledgement(time: Int64) -> Segment {
        if up.isAcknowledgementDue || !down.hasBegun { return bare(.down, [.ack], time: time) }
        let isLate = !down.isAcknowledgementDue
        var segment = bare(.up, [.ack], time: time)
        if isLate { segment.acknowledgement &-= 1 }
        return segment
    }

    // MARK: Segments

    /// A segment without payload at the flow's present position. It acknowledges all of the other flow, if begun.
    private func bare(_ direction: Direction, _ flags: Segment.Flags, time: Int64) -> Segment {
        direction == .up
            ? bare(direction, flags, time: time, from: up, to: &down)
            : bare(direction, flags, time: time, from: down, to: &up)
    }

    @inline(__always)
    private func bare(
        _ direction: Direction, _ flags: Segment.Flags, time: Int64, from flow: FlowSequence,
        to other: inout FlowSequence
    ) -> Segment {
        var segment = Segment(
            time: time, direction: direction, flags: flags, sequence: flow.next, acknowledgement: 0,
            offset: flow.passed, payloadOffset: 0, payloadCount: 0, gapBytes: 0, occasion: .none, isJoining: isJoining)
        isJoining = false
        if flags.contains(.ack) {
            if other.hasBegun {
                segment.acknowledgement = other.next
                other.acknowledge()
            } else {
                segment.flags.remove(.ack)
            }
        }
        return segment
    }

    private func acknowledge(_ direction: Direction) {
        if direction == .up { up.acknowledge() } else { down.acknowledge() }
    }

    /// Advances a flow to its length if known; returns the number of missing bytes.
    private func skip(_ direction: Direction, to length: UInt64?) -> UInt64 {
        guard let length, length > passed(direction) else { return 0 }
        return direction == .up ? up.skip(to: length) : down.skip(to: length)
    }
}

/// The position in one event's data; see `Conversation.next`.
public struct DataCursor {
    let direction: Direction
    let time: Int64
    var payloadOffset = 0
    var remaining: Int
    var gap: UInt64

    init(direction: Direction, time: Int64, remaining: Int, gap: UInt64) {
        self.direction = direction
        self.time = time
        self.remaining = remaining
        self.gap = gap
    }
}
