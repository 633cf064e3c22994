public import Sockets

/// The synthetic TCP of one recorded connection: events change it, and it answers each with segments.
///
/// The relay sees streams, not packets. A conversation makes up packets that could have carried them: numbers follow
/// from the offsets of the flows (an initial number made of the connection's id, plus one, plus the offset, wrapping at
/// 2^32), receivers acknowledge at least every 256 KiB and before a FIN, and each flow ends with a FIN of its own. Two
/// writers that are told the same events make the same packets.
///
/// Owned by whoever records, on one thread at a time. Data and FINs allocate nothing. Times are nanoseconds since
/// 1970 UTC, offsets count the bytes that a flow's destination took since the connection began, recorded or not.
public final class Conversation {
    /// What is fixed about the connection.
    public let origin: ConversationOrigin
    /// The address connected, or tried last; nil before that.
    public private(set) var upstreamAddress: SocketAddress?
    /// How the connection ended; nil until it did.
    public private(set) var end: ConversationEnd?
    /// The connection's number, as in `origin`.
    public let id: UInt64
    let path: PacketPath
    private var up: FlowSequence
    private var down: FlowSequence
    private var isJoining = false

    /// How many bytes a receiver leaves unacknowledged at the most.
    static let largestUnacknowledged: UInt64 = 256 * 1024

    /// A conversation of which nothing has happened yet.
    public init(_ origin: ConversationOrigin) {
        id = origin.id
        self.origin = origin
        path = PacketPath(origin)
        let numbers = Self.scatter(origin.id)
        up = FlowSequence(initial: UInt32(truncatingIfNeeded: numbers >> 32))
        down = FlowSequence(initial: UInt32(truncatingIfNeeded: numbers))
    }

    /// Spreads ids, which follow each other, over all numbers: the finaliser of SplitMix64 (Steele, Lea and Flood,
    /// "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
    private static func scatter(_ id: UInt64) -> UInt64 {
        var bits = id &+ 0x9E37_79B9_7F4A_7C15
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }

    /// How many bytes of a flow passed since the connection began, as far as events told.
    public func passed(_ direction: Direction) -> UInt64 {
        direction == .up ? up.passed : down.passed
    }

    // MARK: Its beginning

    /// The client was accepted, at the moment that the origin tells: the SYN.
    public func accepted() -> Segment {
        up.hasBegun = true
        var syn = bare(.up, [.syn], time: origin.accepted)
        syn.sequence = up.initial
        syn.occasion = .opened
        return syn
    }

    /// The upstream was connected: the second and the third segment of the handshake.
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

    /// Makes a fresh conversation that of a connection which is open already: there is no handshake, and the next
    /// segment says that the recording starts in the middle.
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

    // MARK: Its data

    /// Bytes passed; `offset` is that of the first one, and what lies between it and the flow's last byte is a gap.
    /// The segments come from `next`, until it answers nil, before any other event is told.
    public func beginData(direction: Direction, offset: UInt64, count: Int, time: Int64) -> DataCursor {
        let gap = direction == .up ? up.skip(to: offset) : down.skip(to: offset)
        // The gap's bytes must not be acknowledged before a segment after it shows that they were there.
        if gap > 0 { acknowledge(direction) }
        return DataCursor(direction: direction, time: time, remaining: count, gap: gap)
    }

    /// The next segment of the event: data, or the receiver's acknowledgement where it is due; nil at the end.
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
        // Until a receiver has acknowledged data, Wireshark takes its window for what the handshake's segments say, not
        // scaled, and calls a segment that ends exactly there a full window.
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

    // MARK: Its end

    /// A flow ended with a FIN. `offset` is the length of the flow where it is known: bytes that are missing at its end
    /// are a gap before the FIN. No FIN comes twice.
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

    /// The connection ended. FIN after FIN it is the FINs that did not go yet and the last acknowledgement; any other
    /// way it is a reset by whoever ended it, by the listener's side where that was Tapline. The last segment carries
    /// the comment with the end's reason and the sums.
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
        // Who refuses a SYN has no number of its own yet: RFC 9293, section 3.5.2, answers with 0.
        if direction == .down, !down.hasBegun { reset.sequence = 0 }
        reset.gapBytes = gap
        return reset
    }

    /// The recording stops while the connection is open: an acknowledgement that says so.
    public func stopped(time: Int64) -> Segment {
        var segment = lastAcknowledgement(time: time)
        segment.occasion = .stopped
        return segment
    }

    /// An acknowledgement without data. Where nothing is left to acknowledge it must be none that Wireshark takes for
    /// a duplicate: before the handshake's answer it is the listener's side that speaks for the first time, after it
    /// the client acknowledges one byte less than it did, as an acknowledgement that was overtaken would.
    private func lastAcknowledgement(time: Int64) -> Segment {
        if up.isAcknowledgementDue || !down.hasBegun { return bare(.down, [.ack], time: time) }
        let isLate = !down.isAcknowledgementDue
        var segment = bare(.up, [.ack], time: time)
        if isLate { segment.acknowledgement &-= 1 }
        return segment
    }

    // MARK: Segments

    /// A segment without payload at the place where its flow stands. It acknowledges all of the other flow, unless
    /// that one has not begun.
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

    /// Moves a flow on to its length where that is known; returns how many bytes of it are missing.
    private func skip(_ direction: Direction, to length: UInt64?) -> UInt64 {
        guard let length, length > passed(direction) else { return 0 }
        return direction == .up ? up.skip(to: length) : down.skip(to: length)
    }
}

/// Where one event's data stand between two segments: see `Conversation.next`.
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
