import Sockets
import Synchronization
import Terminal
import Text

/// Copies traffic on the workers' threads, for the thread that prints.
///
/// It never blocks, and its memory is bounded even when the output takes nothing for hours: beyond 16 MiB of copies,
/// bytes are counted instead, and the print shows the count. It keeps two numbers per open connection; connections that
/// end before any of their bytes were shown are one sum.
final class TrafficTap: Sendable {
    /// The most memory between the relay and the terminal.
    static let limit = 16 * 1024 * 1024
    /// The cost of an item beyond its bytes, so that a million small items are bounded, too.
    static let overhead = 256

    /// The state of an open connection.
    private struct Known {
        /// Bytes that were not copied, until the connection's next item reports them.
        var unseenUp: UInt64 = 0
        var unseenDown: UInt64 = 0
        /// Whether the printer has items of it, and so needs its end.
        var isShown = false
    }

    private let writer: OutputWriter<Traffic>
    private let omitted: OmittedTraffic
    private let known = Mutex<[UInt64: Known]>([:])

    /// Posts copies to a writer; `omitted` sums what is not shown, for the writer to report when it has caught up.
    init(writer: OutputWriter<Traffic>, omitted: OmittedTraffic) {
        self.writer = writer
        self.omitted = omitted
    }

    /// Bytes passed. On the worker's thread.
    func passed(_ connection: UInt64, _ direction: Direction, _ bytes: RawSpan) {
        let cost = bytes.byteCount + Self.overhead
        let count = UInt64(bytes.byteCount)
        let hasRoom = writer.reserve(cost) {
            known.withLock { known in
                if direction == .up {
                    known[connection, default: Known()].unseenUp &+= count
                } else {
                    known[connection, default: Known()].unseenDown &+= count
                }
            }
        }
        guard hasRoom else { return }
        // A flow stays on one thread, so its count cannot change in between.
        let unseen = known.withLock { known in
            var one = known[connection] ?? Known()
            one.isShown = true
            let unseen = direction == .up ? one.unseenUp : one.unseenDown
            if direction == .up { one.unseenUp = 0 } else { one.unseenDown = 0 }
            known[connection] = one
            return unseen
        }
        let flow = Traffic.Flow(connection: connection, direction: direction)
        let traffic = Traffic.passed(flow, bytes: [UInt8](copying: bytes), time: .now, unseen: unseen)
        writer.post(traffic, reserved: cost)
    }

    /// A connection ended. On the worker's thread, after the last bytes.
    func ended(_ connection: UInt64) {
        guard let known = known.withLock({ $0.removeValue(forKey: connection) }) else { return }
        let end = Traffic.ended(
            connection: connection, unseenUp: known.unseenUp, unseenDown: known.unseenDown, time: .now)
        if known.isShown {
            // Bounded by the connection's earlier items, which cost more.
            return writer.postAlways(end)
        }
        let hasRoom = writer.reserve(Self.overhead) {
            omitted.add(known.unseenUp &+ known.unseenDown)
        }
        if hasRoom { writer.post(end, reserved: Self.overhead) }
    }
}
