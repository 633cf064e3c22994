internal import Recording

/// A part of what a recording's stream has gathered, one after the other.
struct RecordingPiece {
    /// Where it ends in the batch.
    let end: Int
    /// Whose bytes it holds; nil: of nobody's flow. Not counted: the writer keeps its conversations, and the stream those
    /// that have ended, as long as there are pieces of them.
    let owner: Unmanaged<TappedConversation>?
    let direction: Direction
    let count: UInt64
    /// Bytes of its owner's flows that it says are missing.
    let gaps: MissingBytes.Flows
}
