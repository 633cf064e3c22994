internal import Recording
internal import Sockets

/// A part of a `RecordingBatch`, with the owner of its bytes.
struct RecordingPiece {
    /// The end in the batch. Pieces are small because a batch has thousands.
    let end: UInt32
    private let bytes: UInt32
    /// The conversation whose bytes it holds; nil: none. Unretained, because the writer keeps open conversations and
    /// the batch keeps ended ones while it has pieces of them.
    let owner: Unmanaged<TappedConversation>?
    let direction: Direction

    init(end: Int, count: UInt64, owner: Unmanaged<TappedConversation>?, direction: Direction) {
        self.end = UInt32(end)
        bytes = UInt32(count)
        self.owner = owner
        self.direction = direction
    }

    /// The number of the flow's bytes in it.
    @inline(__always)
    var count: UInt64 { UInt64(bytes) }
}
