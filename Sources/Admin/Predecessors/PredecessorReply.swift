internal import Text

/// What one predecessor answers about one connection.
enum PredecessorReply<Value: Sendable>: Sendable {
    /// It has the connection.
    case found(Value)
    /// It has no connection of this id, or has ended.
    case nothing
    /// It does not answer.
    case silent
}

/// What all predecessors know of one connection or relay.
enum PredecessorLookup<Value: Sendable>: Sendable {
    /// One of them has it.
    case found(Value)
    /// None has it.
    case nothing
    /// None that answered has it, and these did not answer.
    case unanswered([Predecessors.State])
}

extension Predecessors {
    /// The predecessors that did not answer, in a sentence: an answer without them would be false.
    static func sentence(about silent: [State]) -> String {
        silent.map { state in
            "process \(state.id), which still has connections from before the upgrade, "
                + (state.isReachable ? "does not answer" : "cannot list them")
        }.joined(separator: "; ")
    }
}
