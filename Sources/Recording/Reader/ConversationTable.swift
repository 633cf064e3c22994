internal import Sockets
internal import Text

/// Assigns segments to conversations by their pair of endpoints.
///
/// Its memory is bounded by its limits for any input. Owned by a reader; one thread at a time.
struct ConversationTable {
    /// Both endpoints of a conversation, equal for both directions.
    private struct Pair: Hashable {
        var lower: TCPEndpoint
        var upper: TCPEndpoint

        init(_ segment: TCPSegment) {
            lower = min(segment.source, segment.destination)
            upper = max(segment.source, segment.destination)
        }
    }

    /// An entry of a queue of conversations. It is stale after its conversation was removed from the table.
    private struct Entry {
        var pair: Pair
        /// The conversation's serial number.
        var serial: UInt64
        /// The conversation's last segment when the entry was created.
        var heard: UInt64

        init(_ pair: Pair, _ conversation: ConversationState) {
            self.pair = pair
            serial = conversation.serial
            heard = conversation.heard
        }
    }

    /// A conversation that was reset and waits for late segments.
    private struct Closing {
        var pair: Pair
        var conversation: ConversationState
        var time: Int64
    }

    private let limits: ReassemblyLimits
    private let keepsPrefixes: Bool
    private var conversations: [Pair: ConversationState] = [:]
    /// The conversation of the last segment, which is usually that of the next one too, found without hashing.
    private var last: (pair: Pair, conversation: ConversationState)?
    /// Open and ended conversations, in the order in which they were last examined.
    private var open = Queue<Entry>()
    private var over = Queue<Entry>()
    private var closing = Queue<Closing>()
    /// TCP data that is not shown.
    var skipped = SkippedPackets()
    private var lastID: UInt64 = 0
    /// Tapline's connections that were open at the end of the previous file and have no segment since, by their keys.
    private var carried: [RecordedConversation.Key: Pair] = [:]
    /// The number of segments so far, used as a monotonic clock.
    private var heard: UInt64 = 0
    private var held = 0
    private var prefixBytes = 0
    /// The time of the last packet.
    private var now = Timestamp(nanoseconds: 0)
    /// The application protocols of encrypted legs, by comments in their plaintext.
    private var applications: [RecordedConversation.Key: String] = [:]
    /// Reused for each segment, so that none allocates.
    private var pieces: [FlowAssembler.Piece] = []

    init(limits: ReassemblyLimits, keepsPrefixes: Bool) {
        self.limits = limits
        self.keepsPrefixes = keepsPrefixes
    }

    // MARK: A segment

    mutating func process(_ segment: TCPSegment, of packet: CapturedPacket, into events: inout [RecordingEvent]) {
        now = Timestamp(nanoseconds: packet.time)
        heard &+= 1
        if !closing.isEmpty { endResetConversations(into: &events) }
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
            if comment.kind == .secured { note(comment) }
            conversation.apply(comment)
        }
        if segment.flags.contains(.syn) { conversation.takeSYN(segment) }
        conversation.noteWindow(segment, direction)
        let before = conversation.heldCost
        deliver(segment, of: conversation, direction, lost: lost, time: packet.time, into: &events)
        held += conversation.heldCost - before
        if held > limits.heldInAll { giveUpAll(of: conversation, into: &events) }
        conversation.noteEnds()
        if conversation.summary.isTaplines {
            // Tapline's last comment is in the last packet, after both FINs.
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

    /// Passes a segment's data to its flow and its acknowledgement to the other flow.
    private mutating func deliver(
        _ segment: TCPSegment, of conversation: ConversationState, _ direction: Direction, lost: UInt64, time: Int64,
        into events: inout [RecordingEvent]
    ) {
        // A SYN takes the sequence number before the first byte.
        let sequence = segment.flags.contains(.syn) ? segment.sequence &+ 1 : segment.sequence
        conversation.withFlow(direction) { flow in
            flow.add(
                segment.payload, length: segment.length, sequence: sequence,
                isFinal: segment.flags.contains(.fin), lost: lost, time: time, limits: limits, into: &pieces)
            flow.review(at: time, limits, into: &pieces)
        }
        emit(conversation, direction, into: &events)
        // A reset may be forged, so its acknowledgement is ignored.
        guard segment.flags.contains(.ack), !segment.flags.contains(.rst) else { return }
        let other: Direction = direction == .up ? .down : .up
        conversation.withFlow(other) { flow in
            flow.acknowledge(segment.acknowledgement, at: time)
            if flow.isWaiting { flow.window = conversation.window(for: other) }
            flow.review(at: time, limits, into: &pieces)
        }
        emit(conversation, other, into: &events)
    }

    /// Finds or creates the conversation of a segment; nil if it belongs to none.
    private mutating func conversation(
        of segment: TCPSegment, _ packet: CapturedPacket, _ comments: [RecordingComment],
        into events: inout [RecordingEvent]
    ) -> ConversationState? {
        let pair = Pair(segment)
        let announced = comments.first
        if let announced, Self.opens(announced), !carried.isEmpty {
            endEarlier(announced, pair, into: &events)
        }
        if let known = find(pair) {
            // By Tapline's comment: a conversation with another ID, or one that continues in the next of two files.
            let isAnother =
                announced.map { Self.opens($0) && ($0.key != known.summary.key || known.isOver) } ?? false
            if !isAnother {
                // Nearly every segment takes this path.
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
        let conversation = makeConversation(of: segment, packet, announced)
        conversation.summary.hasStart = segment.flags.contains(.syn) && !segment.flags.contains(.ack)
        if let announced { conversation.apply(announced) }
        announce(conversation, pair, into: &events)
        return conversation
    }

    // MARK: Several files

    /// The next file begins. In it, Tapline introduces every connection that continues.
    mutating func beginNextFile() {
        carried.removeAll()
        for (pair, conversation) in conversations where conversation.summary.isTaplines && !conversation.isOver {
            carried[conversation.summary.key] = pair
        }
    }

    /// A connection is introduced in this file. If it has the ID of one in the previous file and does not continue it,
    /// another process recorded the previous file, and its connection ended with it.
    private mutating func endEarlier(
        _ comment: RecordingComment, _ pair: Pair, into events: inout [RecordingEvent]
    ) {
        guard let earlier = carried.removeValue(forKey: comment.key) else { return }
        if earlier == pair, comment.kind == .continued { return }
        guard let conversation = conversations[earlier] else { return }
        end(conversation, into: &events)
        store(nil, of: earlier)
    }

    private mutating func find(_ pair: Pair) -> ConversationState? {
        if let last, last.pair == pair { return last.conversation }
        guard let known = conversations[pair] else { return nil }
        last = (pair, known)
        return known
    }

    private mutating func store(_ conversation: ConversationState?, of pair: Pair) {
        conversations[pair] = conversation
        last = nil
    }

    func makeConversation(
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
        // Makes room first, so that the new conversation is not the one to end.
        endIdle(into: &events)
        store(conversation, of: pair)
        open.append(Entry(pair, conversation))
        events.append(.opened(conversation.summary))
    }

    // MARK: Events

    /// Emits the assembler's output as events.
    private mutating func emit(
        _ conversation: ConversationState, _ direction: Direction, into events: inout [RecordingEvent]
    ) {
        guard !pieces.isEmpty else { return }
        let key = conversation.summary.key
        for piece in pieces {
            switch piece {
            case .bytes(let bytes):
                conversation.summary[direction].recorded &+= UInt64(bytes.count)
                if keepsPrefixes { keepPrefix(bytes, of: conversation, direction) }
                events.append(.bytes(RecordedBytes(key: key, direction: direction, time: now, bytes: bytes)))
            case .missing(let count):
                let sum = conversation.summary[direction].missing.addingReportingOverflow(count)
                conversation.summary[direction].missing = sum.overflow ? .max : sum.partialValue
                events.append(.missing(RecordedGap(key: key, direction: direction, time: now, count: count)))
            case .skipped(let cause, let count): skipped.add(cause, bytes: count)
            }
        }
        pieces.removeAll(keepingCapacity: true)
    }

    private mutating func keepPrefix(
        _ bytes: ArraySlice<UInt8>, of conversation: ConversationState, _ direction: Direction
    ) {
        let limit = prefixBytes > limits.prefixInAll ? limits.shortPrefix : limits.prefix
        let room = limit - conversation.summary[direction].prefix.count
        // Bytes after a gap are not part of the prefix.
        guard room > 0, conversation.summary[direction].missing == 0 else { return }
        conversation.summary[direction].prefix += bytes.prefix(room)
        prefixBytes += min(room, bytes.count)
    }

    /// The handshake of a leg is complete.
    private mutating func note(_ comment: RecordingComment) {
        guard let side = comment.side.flatMap({ Side(rawValue: $0) }), applications.count < limits.closed else {
            return
        }
        applications[RecordedConversation.Key(id: comment.id, leg: side)] = comment.application ?? ""
    }

    // MARK: Ends

    /// Ends a conversation and remembers it, to recognise late segments.
    private mutating func close(_ conversation: ConversationState, _ pair: Pair, into events: inout [RecordingEvent]) {
        end(conversation, into: &events)
        over.append(Entry(pair, conversation))
        forgetOldest()
    }

    /// Ends a conversation: no further event of it follows.
    private mutating func end(_ conversation: ConversationState, into events: inout [RecordingEvent]) {
        guard !conversation.isOver else { return }
        held -= conversation.heldCost
        prefixBytes -= conversation.prefixBytes
        for direction in Direction.allCases {
            conversation.withFlow(direction) { $0.finish(into: &pieces) }
            conversation.summary[direction].repeated = conversation.withFlow(direction) { $0.repeated }
            emitLast(conversation, direction, into: &events)
        }
        if conversation.summary.reason == nil { conversation.summary.reason = conversation.reason() }
        if conversation.summary.leg != nil {
            conversation.summary.application = applications.removeValue(forKey: conversation.summary.key)
        }
        conversation.isOver = true
        events.append(.ended(conversation.summary))
        conversation.summary.up.prefix = []
        conversation.summary.down.prefix = []
    }

    /// Ends conversations whose reset is so long ago that no data is in flight.
    private mutating func endResetConversations(into events: inout [RecordingEvent]) {
        while let first = closing.first {
            let (waited, overflow) = now.nanoseconds.subtractingReportingOverflow(first.time)
            guard closing.count > limits.closed || overflow || waited >= limits.resetPatience else { return }
            _ = closing.popFirst()
            let conversation = first.conversation
            // The reset may have been withdrawn, and another one received.
            guard !conversation.isOver, conversation.reset?.time == first.time else { continue }
            end(conversation, into: &events)
            // Another conversation may have the pair by now.
            guard conversations[first.pair] === conversation else { continue }
            if let candidate = conversation.candidate {
                announce(candidate, first.pair, into: &events)
            } else {
                over.append(Entry(first.pair, conversation))
                forgetOldest()
            }
        }
    }

    private mutating func emitLast(
        _ conversation: ConversationState, _ direction: Direction, into events: inout [RecordingEvent]
    ) {
        let before = conversation.prefixBytes
        emit(conversation, direction, into: &events)
        prefixBytes -= conversation.prefixBytes - before
    }

    /// Ends all conversations at the end of the capture.
    mutating func finish(into events: inout [RecordingEvent]) {
        let left = conversations.filter { !$0.value.isOver }.sorted { $0.value.summary.id < $1.value.summary.id }
        for (pair, conversation) in left {
            end(conversation, into: &events)
            // A SYN after all other segments belongs to a connection that was not answered.
            guard let candidate = conversation.candidate, !candidate.isCopy else { continue }
            announce(candidate, pair, into: &events)
            end(candidate, into: &events)
        }
    }

    // MARK: Limits

    /// Too many bytes are held in total: this conversation, which added the last ones, stops waiting.
    private mutating func giveUpAll(of conversation: ConversationState, into events: inout [RecordingEvent]) {
        held -= conversation.heldCost
        for direction in Direction.allCases {
            conversation.withFlow(direction) { $0.giveUpAll(into: &pieces) }
            emit(conversation, direction, into: &events)
        }
    }

    /// Makes room for another open conversation: if too many are open, ends one that was idle since last examined.
    private mutating func endIdle(into events: inout [RecordingEvent]) {
        while open.count >= limits.open, let entry = open.popFirst() {
            guard let conversation = conversations[entry.pair], conversation.serial == entry.serial,
                !conversation.isOver
            else { continue }
            if conversation.heard > entry.heard {
                // It is not idle: back to the end of the queue.
                open.append(Entry(entry.pair, conversation))
                continue
            }
            end(conversation, into: &events)
            store(nil, of: entry.pair)
        }
    }

    private mutating func forgetOldest() {
        while over.count > limits.closed, let entry = over.popFirst() {
            // A later conversation, open or ended, may use the pair.
            guard let conversation = conversations[entry.pair], conversation.serial == entry.serial else { continue }
            store(nil, of: entry.pair)
        }
    }
}
