internal import Synchronization

/// The written and lost bytes of one connection in one recording, shared by the worker, the recorder and the end
/// record.
///
/// Any thread. Written bytes, nearly all, cost one atomic addition; lost bytes are counted under a lock.
package final class TapAccount: Sendable {
    /// Set in `written` when the end record was written without waiting for the recorder: unwritten bytes then count as
    /// dropped and must stay out of the recording.
    private static let closed: UInt64 = 1 << 63

    /// Bytes in the recording, and the flag `closed`.
    private let written = Atomic<UInt64>(0)
    /// Bytes that the recorder could not write.
    private let lostBytes = Mutex<UInt64>(0)

    /// Counts bytes about to be written. False if they already count as dropped and must not be written.
    @inline(__always)
    func willWrite(_ count: UInt64) -> Bool {
        let before = written.wrappingAdd(count, ordering: .acquiringAndReleasing).oldValue
        if before < Self.closed { return true }
        // `close` has already read the sum, so the addition had no effect.
        written.wrappingSubtract(count, ordering: .acquiringAndReleasing)
        return false
    }

    /// Moves bytes counted by `willWrite` to the lost ones.
    func couldNotWrite(_ count: UInt64) {
        lostBytes.withLock { lost in
            written.wrappingSubtract(count, ordering: .acquiringAndReleasing)
            lost &+= count
        }
    }

    /// Counts bytes that will not be written. False if they already count as dropped.
    func willNotWrite(_ count: UInt64) -> Bool {
        lostBytes.withLock { lost in
            guard written.load(ordering: .acquiring) < Self.closed else { return false }
            lost &+= count
            return true
        }
    }

    /// Bytes lost so far.
    package var lost: UInt64 { lostBytes.withLock { $0 } }

    /// Ends the wait for the recorder: bytes of `taken` that are not yet written count as lost. Returns all lost bytes,
    /// and those of them that were not counted before.
    package func close(taken: UInt64) -> (lost: UInt64, uncounted: UInt64) {
        lostBytes.withLock { lost in
            let before = written.bitwiseOr(Self.closed, ordering: .acquiringAndReleasing).oldValue
            // Two threads count independently, so differences below zero become zero.
            let missing = taken - min(taken, before & ~Self.closed)
            let uncounted = missing - min(missing, lost)
            lost = missing
            return (missing, uncounted)
        }
    }
}
