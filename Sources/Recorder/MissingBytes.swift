internal import Recording
internal import Sockets

/// Bytes missing from a recording, until the block that reports them is written.
///
/// A block that reports a gap may itself be lost; then the next section has to report both. Confined to the recorder's
/// thread, owned by its stream.
struct MissingBytes {
    /// Missing bytes of the flows of one conversation.
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

    /// Bytes that the next section has to report, by conversation.
    private var pending: [UInt64: (owner: TappedConversation, flows: Flows)] = [:]
    /// Conversations whose missing bytes the present section may not have reported yet.
    private var unreported: [TappedConversation] = []
    /// Bytes that the blocks since the last piece report.
    private var reported = Flows()

    /// Adds bytes for the next section to report.
    mutating func add(_ bytes: UInt64, _ direction: Direction, of owner: TappedConversation) {
        guard bytes > 0 else { return }
        pending[owner.conversation.key, default: (owner, Flows())].flows.add(bytes, of: direction)
    }

    /// Adds the bytes that a lost block reported.
    mutating func add(_ flows: Flows, of owner: TappedConversation) {
        for direction in Direction.allCases { add(flows[direction], direction, of: owner) }
    }

    /// A section begins: passes the pending bytes to `output`, which reports them with the next segments.
    mutating func movePending(to output: inout PcapngOutput) {
        let largest = UInt64(Segment.largestPayload)
        for (owner, flows) in pending.values {
            for direction in Direction.allCases where flows[direction] > 0 {
                let bytes = flows[direction]
                // An ended conversation has no further segment that could report them.
                output.dropped(
                    owner.conversation, direction: direction, bytes: owner.isOver ? 0 : bytes,
                    segments: (bytes - 1) / largest + 1)
            }
            if !owner.isOver { unreported.append(owner) }
        }
        pending = [:]
    }

    /// Counts the bytes that a segment is about to report: its gap and the section's earlier omissions.
    mutating func willReport(_ segment: Segment, of owner: TappedConversation, in output: PcapngOutput) {
        let omitted = unreported.isEmpty ? 0 : output.omitted(of: owner.conversation.key, segment.direction)
        guard omitted > 0 || segment.gapBytes > 0 else { return }
        reported.add(omitted &+ segment.gapBytes, of: segment.direction)
    }

    /// Whether the present section may have unreported bytes.
    var hasUnreported: Bool { !unreported.isEmpty }

    /// Returns and resets the bytes reported since the last call.
    mutating func takeReported() -> Flows {
        defer { reported = Flows() }
        return reported
    }

    /// The section ends: its unreported bytes become pending for the next one.
    mutating func keepUnreported(of output: PcapngOutput) {
        for owner in unreported where !owner.isOver {
            for direction in Direction.allCases {
                add(output.omitted(of: owner.conversation.key, direction), direction, of: owner)
            }
        }
        unreported = []
    }
}
