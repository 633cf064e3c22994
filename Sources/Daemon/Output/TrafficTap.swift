import EventLoop
import Relay
import Sockets
import Synchronization
import Terminal
import Text

/// Copies traffic on the workers' threads, for the thread that prints.
///
/// It never blocks, and its memory is bounded even when the output accepts nothing for hours: beyond 16 MiB of copies,
/// bytes are counted instead, and the print shows the count. It keeps two numbers per open connection; connections of
/// which nothing was shown before they ended are one sum.
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

    /// A client was accepted. On the worker's thread, before its first bytes.
    func opened(_ record: ConnectionRecord) {
        let isShown = writer.reserve(Self.overhead)
        known.withLock { $0[record.id] = Known(isShown: isShown) }
        guard isShown else { return }
        let opening = Traffic.Opening(
            connection: record.id, client: record.clientText, relay: nil, upstream: record.upstream)
        let time = Timestamp(nanoseconds: record.accepted)
        writer.post(.opened(opening, time: time), reserved: Self.overhead)
    }

    /// A connection ended. On the worker's thread, after the last bytes. `afterwards` is called on any thread when all
    /// that is shown of the connection was written.
    func ended(_ record: ConnectionRecord, then afterwards: (@Sendable () -> Void)? = nil) {
        let known = known.withLock { $0.removeValue(forKey: record.id) } ?? Known()
        let ending = Traffic.Ending(
            connection: record.id, unseenUp: known.unseenUp, unseenDown: known.unseenDown,
            outcome: Traffic.Outcome(record))
        let end = Traffic.ended(ending, time: record.end.map { Timestamp(nanoseconds: $0.time) } ?? .now)
        if known.isShown {
            // Bounded by the connection's earlier items, which cost more.
            return writer.postAlways(end, then: afterwards)
        }
        let hasRoom = writer.reserve(Self.overhead) {
            omitted.add(known.unseenUp &+ known.unseenDown)
        }
        if hasRoom { writer.post(end, reserved: Self.overhead, then: afterwards) } else { afterwards?() }
    }
}

extension Traffic.Outcome {
    /// The end of a record; nil while it is open.
    fileprivate init?(_ record: ConnectionRecord) {
        guard let end = record.end else { return nil }
        self.init(
            reason: end.reason.rawValue, closedBy: (record.closedBy ?? end.reason.closedBy).rawValue,
            errno: end.errno?.name,
            bytesUp: record.bytesUp, bytesDown: record.bytesDown, duration: end.duration)
    }
}
