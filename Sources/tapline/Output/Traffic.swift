import EventLoop
import Recording
import Relay
import Sockets
import Synchronization
import Text

/// What passed, or did not get shown, of one flow.
enum Traffic: Hashable, Sendable {
    /// Bytes that passed, at a time; before them `unseen` bytes of the flow passed that are not shown.
    case passed(Flow, bytes: [UInt8], time: Timestamp, unseen: UInt64)
    /// So many bytes of the flow passed that a recording does not have.
    case missing(Flow, count: UInt64, time: Timestamp)
    /// The connection is gone; so many last bytes of its flows are not shown.
    case ended(connection: UInt64, unseenUp: UInt64, unseenDown: UInt64, time: Timestamp)

    /// One direction of a connection.
    struct Flow: Hashable, Sendable {
        var connection: UInt64
        var direction: Direction
    }
}

/// Takes copies of the traffic on the workers' threads, and gives them to the thread that prints.
///
/// It never waits: past 16 MiB of copies the bytes are counted and not copied, and the print says how many there were.
final class TrafficTap: Sendable {
    /// The memory between the relay and the terminal.
    static let limit = 16 * 1024 * 1024
    /// What a copy costs beside its bytes, so that a million small ones are bounded too.
    private static let overhead = 256

    private let writer: OutputWriter<Traffic>
    /// Bytes that were not copied, by flow, until the next copy of the flow tells of them. A flow stays on one thread,
    /// so nobody else takes its count away between the two.
    private let unseen = Mutex<[Traffic.Flow: UInt64]>([:])

    /// Gives copies to a writer whose limit is `limit`.
    init(writer: OutputWriter<Traffic>) {
        self.writer = writer
    }

    /// Bytes passed. On the worker's thread.
    func passed(_ connection: UInt64, _ direction: Direction, _ bytes: RawSpan) {
        let flow = Traffic.Flow(connection: connection, direction: direction)
        let cost = bytes.byteCount + Self.overhead
        guard writer.reserve(cost) else {
            unseen.withLock { $0[flow, default: 0] += UInt64(bytes.byteCount) }
            return
        }
        let traffic = Traffic.passed(
            flow, bytes: [UInt8](copying: bytes), time: .now, unseen: takeUnseen(of: flow))
        writer.post(traffic, reserved: cost)
    }

    /// A connection ended. On the worker's thread, after the last bytes.
    func ended(_ connection: UInt64) {
        let up = takeUnseen(of: Traffic.Flow(connection: connection, direction: .up))
        let down = takeUnseen(of: Traffic.Flow(connection: connection, direction: .down))
        writer.postAlways(.ended(connection: connection, unseenUp: up, unseenDown: down, time: .now))
    }

    private func takeUnseen(of flow: Traffic.Flow) -> UInt64 {
        unseen.withLock { $0.removeValue(forKey: flow) ?? 0 }
    }
}
