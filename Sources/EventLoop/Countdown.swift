internal import CLibuv

/// A latch: one thread waits until the other threads have counted down to zero.
///
/// `@unchecked Sendable`, because libuv's lock guards the count, and the pointers are constant until `deinit`.
public final class Countdown: @unchecked Sendable {
    private let lock = UnsafeMutablePointer<uv_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<uv_cond_t>.allocate(capacity: 1)
    private var left: Int

    /// A latch that opens after `parts` calls of `down`.
    public init(_ parts: Int) {
        left = parts
        let results = [uv_mutex_init(lock), uv_cond_init(changed)]
        precondition(results == [0, 0], "Countdown: no memory")
    }

    deinit {
        uv_cond_destroy(changed)
        uv_mutex_destroy(lock)
        changed.deallocate()
        lock.deallocate()
    }

    /// Counts down by one.
    public func down() {
        uv_mutex_lock(lock)
        left -= 1
        if left <= 0 { uv_cond_broadcast(changed) }
        uv_mutex_unlock(lock)
    }

    /// Waits until the count is zero, up to a number of milliseconds. Returns whether it is.
    public func wait(atMost milliseconds: UInt64) -> Bool {
        let (limit, isEndless) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        let start = uv_hrtime()
        let end = isEndless ? .max : start > .max - limit ? .max : start + limit
        uv_mutex_lock(lock)
        defer { uv_mutex_unlock(lock) }
        while left > 0 {
            let now = uv_hrtime()
            guard now < end else { break }
            // It may wake early or spuriously.
            _ = uv_cond_timedwait(changed, lock, end - now)
        }
        return left <= 0
    }
}
