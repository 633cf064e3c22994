import Relay
import Synchronization

/// The sums of all connections that ended, for the summary of `forward`. Any thread.
final class ConnectionTotals: Sendable {
    /// The sums.
    struct Sum: Hashable, Sendable {
        var connections: UInt64 = 0
        var failed: UInt64 = 0
        var bytesUp: UInt64 = 0
        var bytesDown: UInt64 = 0
        var recordedConnections: UInt64 = 0
        var recordedBytes: UInt64 = 0
        var droppedBytes: UInt64 = 0

        /// Adds a connection that ended.
        mutating func add(_ record: ConnectionRecord) {
            connections &+= 1
            if record.end?.reason.outcome == .failed { failed &+= 1 }
            bytesUp &+= record.bytesUp
            bytesDown &+= record.bytesDown
            guard let recorded = record.recordedBytes else { return }
            recordedConnections &+= 1
            recordedBytes &+= recorded
            droppedBytes &+= record.droppedBytes ?? 0
        }
    }

    private let sum = Mutex(Sum())

    /// Adds a connection that ended.
    func add(_ record: ConnectionRecord) {
        sum.withLock { $0.add(record) }
    }

    /// The sums so far.
    var now: Sum { sum.withLock { $0 } }
}
