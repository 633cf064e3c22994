internal import Sockets
internal import Synchronization

/// A live recording as whoever reads it sees it: pieces of one pcapng stream, each of whole blocks. Made by
/// `RelayService.liveTap`; read by one task. It ends when Tapline stops, and is stopped by dropping it or its iterator.
///
/// A reader that is too slow loses data by the rule of recordings: sequence numbers jump and the stream says how much
/// is missing. It never slows a connection.
public struct LiveTap: AsyncSequence, Sendable {
    /// Bytes of the stream.
    public typealias Element = [UInt8]

    let queue: LiveQueue
    let stream: AsyncStream<[UInt8]>

    package init(queue: LiveQueue, stream: AsyncStream<[UInt8]>) {
        self.queue = queue
        self.stream = stream
    }

    /// The pieces, as they come.
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

    /// Starts reading.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(queue: queue, base: stream.makeAsyncIterator())
    }
}

/// What a live recording has made and its reader not taken yet, bounded. Any thread.
package final class LiveQueue: Sendable {
    /// How many bytes may wait for the reader.
    private static let most = 2 << 20

    private let waiting = Atomic<Int>(0)
    private let closed = Atomic<Bool>(false)
    private let continuation: AsyncStream<[UInt8]>.Continuation

    package init(_ continuation: AsyncStream<[UInt8]>.Continuation) {
        self.continuation = continuation
    }

    /// Hands pieces on, if the reader is not too far behind.
    func offer(_ bytes: OutputBuffer) -> Bool {
        guard waiting.load(ordering: .relaxed) < Self.most else { return false }
        let piece = bytes.withBytes { Array(copying: $0) }
        waiting.add(piece.count, ordering: .relaxed)
        if case .terminated = continuation.yield(piece) {
            closed.store(true, ordering: .relaxed)
            return false
        }
        return true
    }

    /// Nobody reads any more.
    var isClosed: Bool { closed.load(ordering: .relaxed) }

    func taken(_ count: Int) {
        waiting.subtract(count, ordering: .relaxed)
    }

    func end() {
        continuation.finish()
    }
}
