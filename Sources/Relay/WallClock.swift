internal import Glibc

/// The time of day, for records; deadlines never look at it.
enum WallClock {
    /// Nanoseconds since 1970 UTC.
    static var now: Int64 {
        var time = timespec()
        // It cannot fail for this clock (clock_gettime(2)).
        _ = clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
