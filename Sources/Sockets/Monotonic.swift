/// Differences between readings of a monotonic clock.
public enum Monotonic {
    /// The time from `start` to `now`, in the unit of the readings; 0 if `now` is earlier.
    ///
    /// CLOCK_MONOTONIC should never go back (clock_gettime(2)), but it does when a virtual machine moves to a host with
    /// another time stamp counter, when a checkpoint is restored, and in emulated kernels. Then a plain subtraction
    /// traps, and a wrapping one yields centuries. Readings of one turn may also be compared out of order.
    @inlinable @inline(__always)
    public static func elapsed(from start: UInt64, to now: UInt64) -> UInt64 {
        now > start ? now &- start : 0
    }
}
