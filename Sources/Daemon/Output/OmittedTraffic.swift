import Synchronization
import Terminal

/// The sum of connections that ended before any of their bytes were shown, until it is reported. Any thread.
final class OmittedTraffic: Sendable {
    private let sum = Mutex(Traffic.Omitted())

    /// Adds a connection with its bytes.
    func add(_ bytes: UInt64) {
        sum.withLock { sum in
            sum.bytes &+= bytes
            sum.connections &+= 1
        }
    }

    /// The sum since the last call; nil if it is zero.
    func takeSum() -> Traffic.Omitted? {
        sum.withLock { sum in
            defer { sum = Traffic.Omitted() }
            return sum.connections > 0 ? sum : nil
        }
    }
}
