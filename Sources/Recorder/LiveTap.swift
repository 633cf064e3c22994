internal import Sockets
internal import Synchronization

/// A live recording as a sequence of pieces of one pcapng stream, each consisting of complete blocks. Created by
/// `RelayService.liveTap`; read by one task. It ends when Tapline stops, or when the sequence or its iterator is
/// released.
///
/// A slow reader loses data as in other recordings: sequence numbers jump and comments report the missing bytes. It
/// never slows a connection.
public struct LiveTap: AsyncSequence, Sendable {
    /// Bytes of the stream.
    public typealias Element = [UInt8]

    let queue: LiveQueue
    let stream: AsyncStream<[UInt8]>

    package init(queue: LiveQueue, stream: AsyncStream<[UInt8]>) {
        self.queue = queue
        self.stream = stream
    }

    /// An iterator over the pieces.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let queue: LiveQueue
        var base: AsyncStream<[UInt8]>.Iterator

        /// The next piece; nil at the end.
        public mutating func next() async -> [UInt8]? {
            guard let piece = await base.next() else { return nil }
            queue.taken(piece.count)
            return piece
        }
    }

    /// Starts to read.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(queue: queue, base: stream.makeAsyncIterator())
    }
}

/// The bounded queue between a live recording and its reader. Any thread.
package final class LiveQueue: Sendable {
    /// The limit of unread bytes.
    private static let limit = 2 << 20

    private let unread = Atomic<Int>(0)
    private let closed = Atomic<Bool>(false)
    private let continuation: AsyncStream<[UInt8]>.Continuation

    package init(_ continuation: AsyncStream<[UInt8]>.Continuation) {
        self.continuation = continuation
    }

    /// Queues a piece, unless too many bytes are unread or the reader is gone.
    func offer(_ bytes: OutputBuffer) -> Bool {
        guard unread.load(ordering: .relaxed) < Self.limit else { return false }
        let piece = bytes.withBytes { Array(copying: $0) }
        unread.add(piece.count, ordering: .relaxed)
        if case .terminated = continuation.yield(piece) {
            closed.store(true, ordering: .relaxed)
            return false
        }
        return true
    }

    /// Whether the reader is gone.
    var isClosed: Bool { closed.load(ordering: .relaxed) }

    func taken(_ count: Int) {
        unread.subtract(count, ordering: .relaxed)
    }

    func end() {
        continuation.finish()
    }
}
