internal import Sockets
internal import Text

/// Sorts segments into conversations by their pair of addresses.
///
/// What it holds is bounded by its limits whatever the capture says. Owned by a reader; one thread at a time.
struct ConversationTable {
    /// Both ends of a conversation, the same for both directions.
    private struct Pair: Hashable {
        var lower: TCPEndpoint
        var upper: TCPEndpoint

        init(_ segment: TCPSegment) {
            lower = min(segment.source, segment.destination)
            upper = max(segment.source, segment.destination)
        }
    }

    /// An entry of a queue of conversations. It is stale once its conversation has left the table.
    private struct Entry {
        var pair: Pair
        /// Which conversation between the pair it is.
        var serial: UInt64
        /// The place of the conversation's last segment when the entry was made.
        var heard: UInt64

        init(_ pair: Pair, _ conversation: ConversationState) {
            self.pair = pair
            serial = conversation.serial
            heard = conversation.heard
        }
    }

    /// A conversation that was reset, until it is sure that nothing of it follows.
    private struct Closing {
        var pair: Pair
        var conversation: ConversationState
        var time: Int64
    }

    private let limits: ReassemblyLimits
    private let keepsPrefixes: Bool
    private var conversations: [Pair: ConversationState] = [:]
    /// The conversation of the last segment, which is mostly that of the next one, too: it is found without hashing.
    private var last: (pair: Pair, conversation: ConversationState)?
    /// Those that are not over, and those that are, in the order in which they were looked at last.
    private var open = Queue<Entry>()
    private var over = Queue<Entry>()
    private var closing = Queue<Closing>()
    /// TCP data that is not shown.
    private(set) var skipped = SkippedPackets()
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
        heard &+= 1
        if !closing.isEmpty { endResetOnes(into: &events) }
        let comments = packet.comments.compactMap { RecordingComment($0) }
        guard let conversation = conversation(of: segment, packet, comments, into: &events) else { return }
        let direction = conversation.direction(of: segment)
        conversation.heard = heard
        if conversation.reset == nil || segment.length > 0 { conversation.summary.ended = now }
        var lost: UInt64 = 0
        var hasEnd = false
        for comment in comments where comment.id == conversation.summary.id {
            if comment.kind == .gap { lost = comment.droppedBytes ?? 0 }
            hasEnd = hasEnd || comment.kind == .ended
            conversation.take(comment)
        }
        if segment.flags.contains(.syn) { conversation.takeSYN(segment) }
        conversation.noteWindow(segment, direction)
        let before = conversation.heldCost
        take(segment, of: conversation, direction, lost: lost, time: packet.time, into: &events)
        held += conversation.heldCost - before
        if held > limits.heldInAll { giveUpAll(of: conversation, into: &events) }
        conversation.noteEnds()
        if conversation.summary.isTaplines {
            // Tapline's last comment comes with the last packet, behind both FINs.
            if hasEnd { close(conversation, Pair(segment), into: &events) }
            return
        }
        if conversation.up.hasEnded, conversation.down.hasEnded {
            return close(conversation, Pair(segment), into: &events)
        }
        if segment.flags.contains(.rst) {
            guard conversation.takeReset(segment, direction, time: packet.time) else { return }
            closing.append(Closing(pair: Pair(segment), conversation: conversation, time: packet.time))
        } else if conversation.reset != nil {
            conversation.withdrawReset(after: segment, direction)
        }
    }

    /// Gives a segment's data to its flow and its acknowledgement to the other.
    private mutating func take(
        _ segment: TCPSegment, of conversation: ConversationState, _ direction: Direction, lost: UInt64, time: Int64,
        into events: inout [RecordingEvent]
    ) {
        // A SYN takes the sequence number before the first byte.
        let sequence = segment.flags.contains(.syn) ? segment.sequence &+ 1 : segment.sequence
        conversation.withFlow(direction) { flow in
            flow.take(
                segment.payload, length: segment.length, sequence: sequence,
                isFinal: segment.flags.contains(.fin), lost: lost, time: time, limits: limits, into: &pieces)
            flow.review(at: time, limits, into: &pieces)
        }
        tell(of: conversation, direction, into: &events)
        // A reset may come from anywhere: nothing follows from what it acknowledges.
        guard segment.flags.contains(.ack), !segment.flags.contains(.rst) else { return }
        let other: Direction = direction == .up ? .down : .up
        conversation.withFlow(other) { flow in
            flow.acknowledge(segment.acknowledgement, at: time)
            if flow.isWaiting { flow.window = conversation.window(for: other) }
            flow.review(at: time, limits, into: &pieces)
        }
        tell(of: conversation, other, into: &events)
    }

    /// The conversation that a segment belongs to, made if need be; nil when it belongs to none.
    private mutating func conversation(
        of segment: TCPSegment, _ packet: CapturedPacket, _ comments: [RecordingComment],
        into events: inout [RecordingEvent]
    ) -> ConversationState? {
        let pair = Pair(segment)
        let announced = comments.first
        if let known = find(pair) {
            // Tapline says so: a conversation with another number, or one that goes on in the next of two files.
            let isAnother =
                announced.map { Self.opens($0) && ($0.id != known.summary.id || known.isOver) } ?? false
            if !isAnother {
                // Nearly every segment.
                if !known.isOver, known.candidate == nil, !segment.flags.contains(.syn) { return known }
                switch successor(of: known, segment) {
                case .none: return known.isOver ? nil : known
                case .unknown: return nil
                case .confirmed(let candidate):
                    end(known, into: &events)
                    announce(candidate, pair, into: &events)
                    return candidate
                case .new: break
                }
            }
            end(known, into: &events)
        }
        guard announced != nil || segment.length > 0 || !segment.flags.isDisjoint(with: [.syn, .fin]) else {
            return nil
        }
        let made = makeConversation(of: segment, packet, announced)
        if let announced { made.take(announced) }
        announce(made, pair, into: &events)
        return made
    }

    private mutating func find(_ pair: Pair) -> ConversationState? {
        if let last, last.pair == pair { return last.conversation }
        guard let known = conversations[pair] else { return nil }
        last = (pair, known)
        return known
    }

    private mutating func keep(_ conversation: ConversationState?, of pair: Pair) {
        conversations[pair] = conversation
        last = nil
    }

    private func makeConversation(
        of segment: TCPSegment, _ packet: CapturedPacket?, _ announced: RecordingComment?
    ) -> ConversationState {
        let isFromClient = Self.isFromClient(segment, packet, announced)
        return ConversationState(
            client: isFromClient ? segment.source : segment.destination,
            upstream: isFromClient ? segment.destination : segment.source, id: 0, time: now)
    }

    private mutating func announce(
        _ conversation: ConversationState, _ pair: Pair, into events: inout [RecordingEvent]
    ) {
        lastID &+= 1
        if !conversation.summary.isTaplines { conversation.summary.id = lastID }
        conversation.serial = lastID
        conversation.heard = heard
        // Room is made first: the new conversation is not the one to give up.
        giveUpIdle(into: &events)
        keep(conversation, of: pair)
        open.append(Entry(pair, conversation))
        events.append(.opened(conversation.summary))
    }

    // MARK: Ports used anew

    /// Whether a segment belongs to a later connection than the one that is known between its ports.
    private enum Successor {
        /// It does not.
        case none
        /// It may, and has no data: it is kept as a candidate.
        case unknown
        /// It shows that the candidate is one.
        case confirmed(ConversationState)
        /// It does.
        case new
    }

    /// SYNs arrive late and twice, and old ones wander through networks. One that may be of that kind makes no
    /// conversation until a segment confirms it.
    private mutating func successor(of known: ConversationState, _ segment: TCPSegment) -> Successor {
        if segment.flags.contains(.syn), !segment.flags.contains(.rst) {
            return successor(of: known, withSYN: segment)
        }
        let count = known.withFlow(known.direction(of: segment)) { $0.newBytes(segment.length, at: segment.sequence) }
        if let candidate = known.candidate, candidate.isConfirmed(by: segment, isExact: count != nil) {
            // A copy of the first data may follow a copy of the SYN; what carries nothing confirms nothing then.
            if known.isOver, candidate.isCopy, segment.length == 0 { return .none }
            return .confirmed(candidate)
        }
        guard segment.length > 0 else { return .none }
        guard known.isOver else {
            // It goes on, so that the SYN was an old one.
            known.candidate = nil
            return .none
        }
        guard let count else { return .new }
        if count > 0 { skipped.add(.afterEnd, bytes: min(count, segment.payload.count)) }
        return .none
    }

    private mutating func successor(of known: ConversationState, withSYN segment: TCPSegment) -> Successor {
        if let candidate = known.candidate, candidate.mayHave(segment, isStrict: true) {
            candidate.takeSYN(segment)
            if segment.length > 0 { return .confirmed(candidate) }
            let isAnswer = segment.flags.contains(.ack) && !candidate.isCopy
            return isAnswer && candidate.direction(of: segment) == .down ? .confirmed(candidate) : .unknown
        }
        let isCopy = known.isOver && known.began(with: segment)
        if !isCopy {
            if known.isOver { return .new }
            if known.mayHave(segment) { return .none }
            // After a reset, and with data, ports are used anew.
            if known.reset != nil || segment.length > 0 || !known.isEstablished { return .new }
        } else if segment.length > 0 {
            return .none
        }
        let candidate = makeConversation(of: segment, nil, nil)
        candidate.isCopy = isCopy
        candidate.takeSYN(segment)
        known.candidate = candidate
        return .unknown
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
                conversation.summary[direction].recorded &+= UInt64(bytes.count)
                if keepsPrefixes { keep(bytes, of: conversation, direction) }
                events.append(.bytes(RecordedBytes(id: id, direction: direction, time: now, bytes: bytes)))
            case .missing(let count):
                let sum = conversation.summary[direction].missing.addingReportingOverflow(count)
                conversation.summary[direction].missing = sum.overflow ? .max : sum.partialValue
                events.append(.missing(RecordedGap(id: id, direction: direction, time: now, count: count)))
            case .skipped(let cause, let count): skipped.add(cause, bytes: count)
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

    /// It has come to its end.
    private mutating func close(_ conversation: ConversationState, _ pair: Pair, into events: inout [RecordingEvent]) {
        end(conversation, into: &events)
        over.append(Entry(pair, conversation))
        forgetOldest()
    }

    /// Nothing more of it comes.
    private mutating func end(_ conversation: ConversationState, into events: inout [RecordingEvent]) {
        guard !conversation.isOver else { return }
        held -= conversation.heldCost
        prefixBytes -= conversation.prefixBytes
        for direction in Direction.allCases {
            conversation.withFlow(direction) { $0.finish(into: &pieces) }
            conversation.summary[direction].repeated = conversation.withFlow(direction) { $0.repeated }
            tellLast(of: conversation, direction, into: &events)
        }
        if conversation.summary.reason == nil { conversation.summary.reason = conversation.reason() }
        conversation.isOver = true
        events.append(.ended(conversation.summary))
        conversation.summary.up.prefix = []
        conversation.summary.down.prefix = []
    }

    /// Ends the conversations that were reset long enough ago for all data on its way to have come.
    private mutating func endResetOnes(into events: inout [RecordingEvent]) {
        while let first = closing.first {
            let (waited, overflow) = now.nanoseconds.subtractingReportingOverflow(first.time)
            guard closing.count > limits.closed || overflow || waited >= limits.resetPatience else { return }
            _ = closing.popFirst()
            let conversation = first.conversation
            // The reset may have been withdrawn, and another have come.
            guard !conversation.isOver, conversation.reset?.time == first.time else { continue }
            end(conversation, into: &events)
            // Another conversation may have the pair.
            guard conversations[first.pair] === conversation else { continue }
            if let candidate = conversation.candidate {
                announce(candidate, first.pair, into: &events)
            } else {
                over.append(Entry(first.pair, conversation))
                forgetOldest()
            }
        }
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
        let left = conversations.filter { !$0.value.isOver }.sorted { $0.value.summary.id < $1.value.summary.id }
        for (pair, conversation) in left {
            end(conversation, into: &events)
            // A SYN behind everything else: its connection was not answered.
            guard let candidate = conversation.candidate, !candidate.isCopy else { continue }
            announce(candidate, pair, into: &events)
            end(candidate, into: &events)
        }
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

    /// Makes room for one more open conversation: where too many are open, one that was idle since it was last looked
    /// at is given up.
    private mutating func giveUpIdle(into events: inout [RecordingEvent]) {
        while open.count >= limits.open, let entry = open.popFirst() {
            guard let conversation = conversations[entry.pair], conversation.serial == entry.serial,
                !conversation.isOver
            else { continue }
            if conversation.heard > entry.heard {
                // It is not idle, and goes to the end of the queue.
                open.append(Entry(entry.pair, conversation))
                continue
            }
            end(conversation, into: &events)
            keep(nil, of: entry.pair)
        }
    }

    private mutating func forgetOldest() {
        while over.count > limits.closed, let entry = over.popFirst() {
            // The pair may be in use anew, also by a later conversation that is over.
            guard let conversation = conversations[entry.pair], conversation.serial == entry.serial else { continue }
            keep(nil, of: entry.pair)
        }
    }
}
