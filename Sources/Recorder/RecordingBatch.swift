internal import Recording
internal import Sockets

/// The blocks for a recording's next write, and the owners of their bytes.
///
/// Confined to the recorder's thread, owned by its stream.
final class RecordingBatch {
    /// The size at which a batch is written, bytes.
    private static let size = 1 << 20

    let buffer = OutputBuffer(capacity: RecordingBatch.size + (256 << 10))
    /// Bytes of the buffer that were written; above 0 only while the rest is held.
    var taken = 0
    private var pieces: [RecordingPiece] = []
    /// Missing bytes that a piece reports, by the piece's index; nearly always empty.
    private var gaps: [Int: MissingBytes.Flows] = [:]
    /// Ended conversations that may have pieces in the batch.
    private var retired: [TappedConversation] = []
    /// Conversations whose end is in the batch.
    private var endings: [(UInt64, TapAccount)] = []

    /// Whether the batch is large enough to be written.
    @inline(__always)
    var isDue: Bool { buffer.count >= Self.size }

    /// Whether the whole batch was written.
    var isTaken: Bool { buffer.count <= taken }

    /// Ends a piece: the blocks since the last call hold `count` bytes of a flow.
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

    /// Keeps an ended conversation until its pieces are written or lost.
    func retire(_ conversation: TappedConversation) {
        if !pieces.isEmpty { retired.append(conversation) }
    }

    /// Notes that the batch contains a conversation's end. False if the batch is empty; then it was written or lost.
    func noteEnding(_ id: UInt64, _ account: TapAccount) -> Bool {
        guard !pieces.isEmpty else { return false }
        endings.append((id, account))
        return true
    }

    /// The end and the number of complete pieces in the first `count` bytes. The end is at least `taken`.
    func wholePieces(in count: Int) -> (end: Int, pieces: Int) {
        let whole = pieces.prefix { Int($0.end) <= count }
        return (max(whole.last.map { Int($0.end) } ?? 0, taken), whole.count)
    }

    /// Counts the bytes of the first `count` pieces (nil: all), which were written, as recorded. Returns the sum of
    /// those that were relayed.
    func countRecorded(_ count: Int? = nil) -> UInt64 {
        var sum: UInt64 = 0
        for position in 0..<(count ?? pieces.count) where pieces[position].count > 0 {
            let count = pieces[position].count
            pieces[position].owner?._withUnsafeGuaranteedRef { owner in
                // Relayed bytes are counted once.
                guard !owner.isEncrypted else { return }
                if owner.hasRecord { owner.counters.addRecorded(count) }
                sum &+= count
            }
        }
        if let count {
            pieces.removeFirst(count)
            gaps = Dictionary(uniqueKeysWithValues: gaps.filter { $0.key >= count }.map { ($0.key - count, $0.value) })
        }
        return sum
    }

    /// Calls the body for each piece of a conversation, with the missing bytes that it reports.
    func forEachPiece(_ body: (RecordingPiece, MissingBytes.Flows, TappedConversation) -> Void) {
        for (index, piece) in pieces.enumerated() {
            if let owner = piece.owner?.takeUnretainedValue() {
                body(piece, gaps[index] ?? MissingBytes.Flows(), owner)
            }
        }
    }

    /// Empties the batch, keeps its memory, and calls `finished` for the conversations whose end was in it.
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
