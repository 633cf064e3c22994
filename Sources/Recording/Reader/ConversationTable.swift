internal import Text

/// Sorts segments into conversations by their pair of addresses, and tells what comes of them.
///
/// What it holds is bounded by its limits whatever the capture says. Owned by a reader; one thread at a time.
struct ConversationTable {
    /// Both ends of a conversation, whoever sends.
    private struct Pair: Hashable {
        var lower: TCPEndpoint
        var upper: TCPEndpoint

        init(_ segment: TCPSegment) {
            lower = min(segment.source, segment.destination)
            upper = max(segment.source, segment.destination)
        }
    }

    /// A place in the queue of those that are open.
    private struct Waiting {
        var pair: Pair
        /// When it was last heard of as it took the place.
        var heard: UInt64
    }

    private let limits: ReassemblyLimits
    private let keepsPrefixes: Bool
    private var conversations: [Pair: ConversationState] = [:]
    /// Those that are not over, and those that are, in the order in which they were looked at last.
    private var open = Queue<Waiting>()
    private var over = Queue<Pair>()
    private var lastID: UInt64 = 0
    /// Counts segments, as a clock that never goes back.
    private var heard: UInt64 = 0
    private var held = 0
    private var prefixBytes = 0
    /// The time of the last packet.
    private var now = Timestamp(nanoseconds: 0)
    /// Used for each segment, so that none needs memory of its own.
    private var pieces: [FlowAssembler.Piece] = []

    init(limits: ReassemblyLimits, keepsPrefixes: Bool) {
        self.limits = limits
        self.keepsPrefixes = keepsPrefixes
    }

    // MARK: A segment

    mutating func take(_ segment: TCPSegment, of packet: CapturedPacket, into events: inout [RecordingEvent]) {
        now = Timestamp(nanoseconds: packet.time)
        heard += 1
        let comments = packet.comments.compactMap { RecordingComment($0) }
        guard let conversation = conversation(of: segment, packet, comments, into: &events) else { return }
        let direction = conversation.direction(of: segment)
        conversation.heard = heard
        conversation.summary.ended = now
        var lost: UInt64 = 0
        var hasEnd = false
        for comment in comments where comment.id == conversation.summary.id {
            if comment.kind == .gap { lost = comment.droppedBytes ?? 0 }
            hasEnd = hasEnd || comment.kind == .ended
            conversation.take(comment)
        }
        if segment.flags.contains(.syn) { conversation.takeSYN(segment) }
        let before = conversation.heldCost
        // A SYN takes the sequence number before the first byte.
        let sequence = segment.flags.contains(.syn) ? segment.sequence &+ 1 : segment.sequence
        conversation.withFlow(direction) { flow in
            flow.take(
                segment.payload, length: segment.length, sequence: sequence,
                isFinal: segment.flags.contains(.fin), lost: lost, time: packet.time, limits: limits, into: &pieces)
            flow.review(at: packet.time, limits, into: &pieces)
        }
        tell(of: conversation, direction, into: &events)
        if segment.flags.contains(.ack) {
            let other: Direction = direction == .up ? .down : .up
            conversation.withFlow(other) { flow in
                flow.acknowledge(segment.acknowledgement)
                flow.review(at: packet.time, limits, into: &pieces)
            }
            tell(of: conversation, other, into: &events)
        }
        held += conversation.heldCost - before
        if held > limits.heldInAll { giveUpAll(of: conversation, into: &events) }
        conversation.noteEnds()
        let isReset = segment.flags.contains(.rst)
        let isClosed = conversation.up.hasEnded && conversation.down.hasEnded
        // Tapline's last word comes with the last packet, behind both FINs.
        guard hasEnd || (!conversation.summary.isTaplines && (isReset || isClosed)) else { return }
        if conversation.summary.reason == nil {
            conversation.summary.reason = conversation.reason(afterResetBy: isReset ? direction.source : nil)
        }
        end(conversation, into: &events)
        over.append(Pair(segment))
        forgetOldest()
    }

    /// The conversation that a segment belongs to, made if need be; nil when it belongs to none.
    private mutating func conversation(
        of segment: TCPSegment, _ packet: CapturedPacket, _ comments: [RecordingComment],
        into events: inout [RecordingEvent]
    ) -> ConversationState? {
        let pair = Pair(segment)
        let known = conversations[pair]
        let announced = comments.first
        if let known {
            // Tapline says so: a conversation with another number, or one that goes on in the next of two files.
            let isAnother =
                announced.map { Self.opens($0) && ($0.id != known.summary.id || known.isOver) } ?? false
            let isAnew = segment.flags.contains(.syn) && !segment.flags.contains(.rst) && !known.mayHave(segment)
            // Segments that come after the end change nothing.
            if !isAnother, !isAnew { return known.isOver ? nil : known }
            if !known.isOver { end(known, into: &events) }
        }
        guard announced != nil || segment.length > 0 || !segment.flags.isDisjoint(with: [.syn, .fin]) else {
            return nil
        }
        let isFromClient = Self.isFromClient(segment, packet, announced)
        lastID += 1
        let made = ConversationState(
            client: isFromClient ? segment.source : segment.destination,
            upstream: isFromClient ? segment.destination : segment.source, id: lastID, time: now)
        if let announced { made.take(announced) }
        conversations[pair] = made
        open.append(Waiting(pair: pair, heard: heard))
        events.append(.opened(made.summary))
        giveUpIdle(into: &events)
        return made
    }

    private static func opens(_ comment: RecordingComment) -> Bool {
        switch comment.kind {
        case .opened, .joined, .continued: true
        case .connected, .gap, .stopped, .ended: false
        }
    }

    /// Who the client is: who sends the SYN, or who Tapline says, or else the side with the higher port.
    private static func isFromClient(
        _ segment: TCPSegment, _ packet: CapturedPacket, _ announced: RecordingComment?
    ) -> Bool {
        if segment.flags.contains(.syn) { return !segment.flags.contains(.ack) }
        if let client = announced?.client {
            if client == "\(segment.source.address)" { return true }
            if client == "\(segment.destination.address)" { return false }
        }
        if announced != nil, let isInbound = packet.isInbound { return isInbound }
        return segment.source.port >= segment.destination.port
    }

    // MARK: Telling

    /// Tells what the assembler made of a segment.
    private mutating func tell(
        of conversation: ConversationState, _ direction: Direction, into events: inout [RecordingEvent]
    ) {
        guard !pieces.isEmpty else { return }
        let id = conversation.summary.id
        for piece in pieces {
            switch piece {
            case .bytes(let bytes):
                conversation.summary[direction].recorded += UInt64(bytes.count)
                if keepsPrefixes { keep(bytes, of: conversation, direction) }
                events.append(.bytes(RecordedBytes(id: id, direction: direction, time: now, bytes: bytes)))
            case .missing(let count):
                let sum = conversation.summary[direction].missing.addingReportingOverflow(count)
                conversation.summary[direction].missing = sum.overflow ? .max : sum.partialValue
                events.append(.missing(RecordedGap(id: id, direction: direction, time: now, count: count)))
            }
        }
        pieces.removeAll(keepingCapacity: true)
    }

    private mutating func keep(
        _ bytes: ArraySlice<UInt8>, of conversation: ConversationState, _ direction: Direction
    ) {
        let limit = prefixBytes > limits.prefixInAll ? limits.shortPrefix : limits.prefix
        let room = limit - conversation.summary[direction].prefix.count
        // What follows a gap says nothing about the start.
        guard room > 0, conversation.summary[direction].missing == 0 else { return }
        conversation.summary[direction].prefix += bytes.prefix(room)
        prefixBytes += min(room, bytes.count)
    }

    // MARK: Ends

    /// Nothing more of it comes.
    private mutating func end(_ conversation: ConversationState, into events: inout [RecordingEvent]) {
        held -= conversation.heldCost
        prefixBytes -= conversation.prefixBytes
        for direction in Direction.allCases {
            conversation.withFlow(direction) { $0.finish(into: &pieces) }
            tellLast(of: conversation, direction, into: &events)
        }
        if conversation.summary.reason == nil, conversation.up.hasEnded, conversation.down.hasEnded {
            conversation.summary.reason = conversation.reason(afterResetBy: nil)
        }
        conversation.isOver = true
        events.append(.ended(conversation.summary))
        conversation.summary.up.prefix = []
        conversation.summary.down.prefix = []
    }

    private mutating func tellLast(
        of conversation: ConversationState, _ direction: Direction, into events: inout [RecordingEvent]
    ) {
        let before = conversation.prefixBytes
        tell(of: conversation, direction, into: &events)
        prefixBytes -= conversation.prefixBytes - before
    }

    /// The whole capture is read.
    mutating func finish(into events: inout [RecordingEvent]) {
        let left = conversations.values.filter { !$0.isOver }.sorted { $0.summary.id < $1.summary.id }
        for conversation in left { end(conversation, into: &events) }
    }

    // MARK: Bounds

    /// Too much waits in all: the conversation that asks for more gives up first.
    private mutating func giveUpAll(of conversation: ConversationState, into events: inout [RecordingEvent]) {
        held -= conversation.heldCost
        for direction in Direction.allCases {
            conversation.withFlow(direction) { $0.giveUpAll(into: &pieces) }
            tell(of: conversation, direction, into: &events)
        }
    }

    /// Too many are open: the one that was idle longest is given up.
    private mutating func giveUpIdle(into events: inout [RecordingEvent]) {
        while open.count > limits.open, let waiting = open.popFirst() {
            guard let conversation = conversations[waiting.pair], !conversation.isOver else { continue }
            if conversation.heard > waiting.heard {
                // It is not idle, and goes to the end of the queue.
                open.append(Waiting(pair: waiting.pair, heard: conversation.heard))
                continue
            }
            end(conversation, into: &events)
            conversations[waiting.pair] = nil
        }
    }

    private mutating func forgetOldest() {
        while over.count > limits.closed, let pair = over.popFirst() {
            // The pair may be in use anew.
            if conversations[pair]?.isOver == true { conversations[pair] = nil }
        }
    }
}

/// First in, first out, in memory that is given back.
private struct Queue<Element> {
    private var elements: [Element] = []
    private var first = 0

    var count: Int { elements.count - first }

    mutating func append(_ element: Element) {
        elements.append(element)
    }

    mutating func popFirst() -> Element? {
        guard first < elements.count else { return nil }
        defer {
            first += 1
            if first > 1024, first * 2 > elements.count {
                elements.removeFirst(first)
                first = 0
            }
        }
        return elements[first]
    }
}
