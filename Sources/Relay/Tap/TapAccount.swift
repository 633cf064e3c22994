internal import Synchronization

/// What became of the bytes of one connection that a recorder was given: the one place where worker, recorder and
/// whoever writes the end record meet.
///
/// Any thread; a few plain numbers under a lock.
final class TapAccount: Sendable {
    private struct State {
        /// Bytes that are in the recording.
        var written: UInt64 = 0
        /// Bytes that the recorder was given and could not write.
        var lost: UInt64 = 0
        /// The end record was written without waiting for the recorder: what is not written by now counts as dropped,
        /// and must stay out of the recording.
        var isClosed = false
    }

    private let state = Mutex(State())

    /// Bytes are about to be written. False when they must not be: they are counted as dropped already.
    func willWrite(_ count: UInt64) -> Bool {
        state.withLock { state in
            guard !state.isClosed else { return false }
            state.written += count
            return true
        }
    }

    /// Bytes that were about to be written could not be. Returns whether anybody can still be told.
    func couldNotWrite(_ count: UInt64) {
        state.withLock { state in
            state.written -= count
            state.lost += count
        }
    }

    /// Bytes will not be written. False when they are counted as dropped already.
    func willNotWrite(_ count: UInt64) -> Bool {
        state.withLock { state in
            guard !state.isClosed else { return false }
            state.lost += count
            return true
        }
    }

    /// What was lost so far.
    var lost: UInt64 { state.withLock { $0.lost } }

    /// Nobody waits any longer: of `taken` bytes what is not written now counts as lost. Returns how many those are
    /// in all, and how many of them nobody has counted yet.
    func close(taken: UInt64) -> (lost: UInt64, uncounted: UInt64) {
        state.withLock { state in
            let lost = taken - state.written
            let uncounted = lost - state.lost
            state.lost = lost
            state.isClosed = true
            return (lost, uncounted)
        }
    }
}
