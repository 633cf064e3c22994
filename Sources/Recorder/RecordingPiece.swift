internal import Recording
internal import Sockets

/// A part of what a recording's stream has gathered, one after the other.
struct RecordingPiece {
    /// Where it ends in the batch. There are thousands of pieces in one: they are kept small.
    let end: UInt32
    private let bytes: UInt32
    /// Whose bytes it holds; nil: of nobody's flow. Not counted: the writer keeps its conversations, and the stream those
    /// that have ended, as long as there are pieces of them.
    let owner: Unmanaged<TappedConversation>?
    let direction: Direction

    init(end: Int, count: UInt64, owner: Unmanaged<TappedConversation>?, direction: Direction) {
        self.end = UInt32(end)
        bytes = UInt32(count)
        self.owner = owner
        self.direction = direction
    }

    /// How many bytes of a flow it holds.
    @inline(__always)
    var count: UInt64 { UInt64(bytes) }
}
