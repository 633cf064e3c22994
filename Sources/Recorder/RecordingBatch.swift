internal import Recording
internal import Sockets

/// What a recording has gathered for its next write: blocks, and whose bytes they hold.
///
/// Confined to the recorder's thread, owned by its stream.
final class RecordingBatch {
    /// How many bytes are gathered before they are written.
    private static let size = 1 << 20

    let buffer = OutputBuffer(capacity: RecordingBatch.size + (256 << 10))
    /// How many bytes of the buffer the sink has taken; beyond 0 only while the rest is held.
    var taken = 0
    private var pieces: [RecordingPiece] = []
    /// Bytes of its owner's flows that a piece says are missing, by the piece's place; nearly always empty.
    private var gaps: [Int: MissingBytes.Flows] = [:]
    /// Conversations that are over and may have pieces yet.
    private var retired: [TappedConversation] = []
    /// Conversations whose end is in the batch.
    private var endings: [(UInt64, TapAccount)] = []

    /// Whether enough is gathered to be written.
    @inline(__always)
    var isDue: Bool { buffer.count >= Self.size }

    /// Whether the sink has taken all of it.
    var isTaken: Bool { buffer.count <= taken }

    /// What was appended since the last call holds `count` bytes of a flow.
    @inline(__always)
    func endPiece(
        of owner: TappedConversation?, _ direction: Direction, _ count: UInt64, gaps: MissingBytes.Flows
    ) {
        if !gaps.isEmpty { self.gaps[pieces.count] = gaps }
        let piece = RecordingPiece(
            end: buffer.count, count: count, owner: owner.map(Unmanaged.passUnretained),
            direction: direction)
        pieces.append(piece)
    }

    /// Nothing more will be appended of a conversation: it is kept until its pieces are with the sink, or lost.
    func retire(_ conversation: TappedConversation) {
        if !pieces.isEmpty { retired.append(conversation) }
    }

    /// A conversation's end stands in the batch. False when nothing does: then it is with the sink, or lost.
    func noteEnding(_ id: UInt64, _ account: TapAccount) -> Bool {
        guard !pieces.isEmpty else { return false }
        endings.append((id, account))
        return true
    }

    /// The end and the number of the pieces that are whole within the first `count` bytes. The end is not before
    /// what is taken already.
    func wholePieces(in count: Int) -> (end: Int, pieces: Int) {
        let whole = pieces.prefix { Int($0.end) <= count }
        return (max(whole.last.map { Int($0.end) } ?? 0, taken), whole.count)
    }

    /// The first `count` pieces, or all, are with the sink: counts their bytes as recorded, and returns the sum.
    func settle(_ count: Int? = nil) -> UInt64 {
        var sum: UInt64 = 0
        for position in 0..<(count ?? pieces.count) where pieces[position].count > 0 {
            let count = pieces[position].count
            pieces[position].owner?._withUnsafeGuaranteedRef { owner in
                if owner.hasRecord { owner.counters.addRecorded(count) }
            }
            sum &+= count
        }
        if let count {
            pieces.removeFirst(count)
            gaps = Dictionary(uniqueKeysWithValues: gaps.filter { $0.key >= count }.map { ($0.key - count, $0.value) })
        }
        return sum
    }

    /// The pieces that hold something of a conversation, one by one, with what they say is missing.
    func forEachPiece(_ body: (RecordingPiece, MissingBytes.Flows, TappedConversation) -> Void) {
        for (place, piece) in pieces.enumerated() {
            if let owner = piece.owner?.takeUnretainedValue() {
                body(piece, gaps[place] ?? MissingBytes.Flows(), owner)
            }
        }
    }

    /// Empties it and keeps its memory. Tells of the conversations whose end was in it.
    func removeAll(_ finished: (UInt64, TapAccount) -> Void) {
        buffer.removeAll()
        pieces.removeAll(keepingCapacity: true)
        if !gaps.isEmpty { gaps = [:] }
        retired.removeAll(keepingCapacity: true)
        taken = 0
        for (id, account) in endings { finished(id, account) }
        endings.removeAll(keepingCapacity: true)
    }
}
