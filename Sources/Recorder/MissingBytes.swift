internal import Recording
internal import Sockets

/// What a recording has to say is missing in it, until a block that says so is with the sink.
///
/// A block that reports a gap may itself be lost; then the next section has to report both. Confined to the recorder's
/// thread, owned by its stream.
struct MissingBytes {
    /// Bytes of the flows of one conversation.
    struct Flows {
        private(set) var up: UInt64 = 0
        private(set) var down: UInt64 = 0

        var isEmpty: Bool { up == 0 && down == 0 }

        subscript(direction: Direction) -> UInt64 { direction == .up ? up : down }

        mutating func add(_ bytes: UInt64, of direction: Direction) {
            switch direction {
            case .up: up &+= bytes
            case .down: down &+= bytes
            }
        }
    }

    /// The bytes that the next section has to report, by conversation.
    private var untold: [UInt64: (owner: TappedConversation, flows: Flows)] = [:]
    /// Conversations of which the section may have something left to tell.
    private var telling: [TappedConversation] = []
    /// The bytes that the blocks since the last piece report.
    private var told = Flows()

    /// The next section has to report these bytes.
    mutating func add(_ bytes: UInt64, _ direction: Direction, of owner: TappedConversation) {
        guard bytes > 0 else { return }
        untold[owner.conversation.id, default: (owner, Flows())].flows.add(bytes, of: direction)
    }

    /// The bytes that a lost block reported.
    mutating func add(_ flows: Flows, of owner: TappedConversation) {
        for direction in Direction.allCases { add(flows[direction], direction, of: owner) }
    }

    /// A section begins: it tells of what is untold with the segments that come.
    mutating func hand(to output: inout PcapngOutput) {
        let largest = UInt64(Segment.largestPayload)
        for (owner, flows) in untold.values {
            for direction in Direction.allCases where flows[direction] > 0 {
                let bytes = flows[direction]
                // A conversation that is over has no further segment that could report them.
                output.dropped(
                    owner.conversation, direction: direction, bytes: owner.isOver ? 0 : bytes,
                    segments: (bytes - 1) / largest + 1)
            }
            if !owner.isOver { telling.append(owner) }
        }
        untold = [:]
    }

    /// A segment is about to be appended, and tells of its gap and of what the section left out before it.
    mutating func willTell(_ segment: Segment, of owner: TappedConversation, in output: PcapngOutput) {
        let omitted = telling.isEmpty ? 0 : output.omitted(of: owner.conversation.id, segment.direction)
        guard omitted > 0 || segment.gapBytes > 0 else { return }
        told.add(omitted &+ segment.gapBytes, of: segment.direction)
    }

    /// Whether the section may have something left to tell.
    var isTelling: Bool { !telling.isEmpty }

    /// What was told since the last call.
    mutating func takeTold() -> Flows {
        defer { told = Flows() }
        return told
    }

    /// The section ends, and what it had no occasion to tell, the next one has to.
    mutating func keepUntold(of output: PcapngOutput) {
        for owner in telling where !owner.isOver {
            for direction in Direction.allCases {
                add(output.omitted(of: owner.conversation.id, direction), direction, of: owner)
            }
        }
        telling = []
    }
}
