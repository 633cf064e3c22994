internal import Synchronization

/// What became of the bytes of one connection that a recorder was given: the one place where worker, recorder and
/// end record meet.
///
/// Any thread. Bytes that are written, nearly all, cost one addition; the rest is under a lock.
package final class TapAccount: Sendable {
    /// Set in `written` when the end record was written without waiting for the recorder: what is not written by then
    /// counts as dropped, and must stay out of the recording.
    private static let closed: UInt64 = 1 << 63

    /// Bytes that are in the recording, and whether more may come.
    private let written = Atomic<UInt64>(0)
    /// Bytes that the recorder was given and could not write.
    private let lostBytes = Mutex<UInt64>(0)

    /// Bytes are about to be written. False when they must not be: they are counted as dropped already.
    @inline(__always)
    func willWrite(_ count: UInt64) -> Bool {
        let before = written.wrappingAdd(count, ordering: .acquiringAndReleasing).oldValue
        if before < Self.closed { return true }
        // `close` has read the sum by now, so the addition has no effect.
        written.wrappingSubtract(count, ordering: .acquiringAndReleasing)
        return false
    }

    /// Bytes that were about to be written could not be.
    func couldNotWrite(_ count: UInt64) {
        lostBytes.withLock { lost in
            written.wrappingSubtract(count, ordering: .acquiringAndReleasing)
            lost &+= count
        }
    }

    /// Bytes will not be written. False when they are counted as dropped already.
    func willNotWrite(_ count: UInt64) -> Bool {
        lostBytes.withLock { lost in
            guard written.load(ordering: .acquiring) < Self.closed else { return false }
            lost &+= count
            return true
        }
    }

    /// What was lost so far.
    package var lost: UInt64 { lostBytes.withLock { $0 } }

    /// The wait is over: of `taken` bytes what is not written now counts as lost. Returns how many those are in all, and
    /// how many of them are not counted yet.
    package func close(taken: UInt64) -> (lost: UInt64, uncounted: UInt64) {
        lostBytes.withLock { lost in
            let before = written.bitwiseOr(Self.closed, ordering: .acquiringAndReleasing).oldValue
            // Two threads count, each for itself: less than nothing is nothing.
            let missing = taken - min(taken, before & ~Self.closed)
            let uncounted = missing - min(missing, lost)
            lost = missing
            return (missing, uncounted)
        }
    }
}
