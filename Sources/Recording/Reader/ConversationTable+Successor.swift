internal import Sockets

/// Detection of a later connection between the same endpoints.
extension ConversationTable {
    /// Whether a segment belongs to a later connection than the known one.
    enum Successor {
        /// It belongs to the known connection.
        case none
        /// Unknown: the segment has no data and is kept in a candidate.
        case unknown
        /// It confirms the candidate.
        case confirmed(ConversationState)
        /// It begins a new connection.
        case new
    }

    /// SYNs may be late, repeated or from an old connection. It creates only a candidate until another segment confirms
    /// it.
    mutating func successor(of known: ConversationState, _ segment: TCPSegment) -> Successor {
        if segment.flags.contains(.syn), !segment.flags.contains(.rst) {
            return successor(of: known, withSYN: segment)
        }
        let count = known.withFlow(known.direction(of: segment)) { $0.newBytes(segment.length, at: segment.sequence) }
        if let candidate = known.candidate, candidate.isConfirmed(by: segment, isExact: count != nil) {
            // A copy of the first data may follow a copy of the SYN, so a segment without data confirms nothing.
            if known.isOver, candidate.isCopy, segment.length == 0 { return .none }
            return .confirmed(candidate)
        }
        guard segment.length > 0 else { return .none }
        guard known.isOver else {
            // The known connection continues, so the SYN was an old one.
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
            // After a reset, or with data, the SYN begins a new connection.
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
}
