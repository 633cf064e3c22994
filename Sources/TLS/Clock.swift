internal import Glibc
internal import Sockets

/// The monotonic clock (`CLOCK_MONOTONIC`).
enum Clock {
    static var nanoseconds: UInt64 {
        var time = timespec()
        // It cannot fail: the clock exists and the memory is valid.
        _ = clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    static func elapsed(from start: UInt64, to now: UInt64) -> UInt64 { Monotonic.elapsed(from: start, to: now) }
}
