import Relay
import Synchronization

/// Counts the connections that were reset because the process stopped. Any thread.
final class DrainedConnections: Sendable {
    private let total = Atomic<Int>(0)

    /// The number so far.
    var count: Int { total.load(ordering: .relaxed) }

    /// Counts a connection that has ended, if that was the reason.
    func count(_ record: ConnectionRecord) {
        guard record.end?.reason == .drained else { return }
        total.add(1, ordering: .relaxed)
    }
}
