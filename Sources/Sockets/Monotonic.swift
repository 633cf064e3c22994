/// Differences between readings of a monotonic clock.
public enum Monotonic {
    /// The time from `start` to `now`, in the unit of the readings; 0 where `now` is the earlier of the two.
    ///
    /// Linux promises that CLOCK_MONOTONIC never goes back (clock_gettime(2)). It does after a virtual machine was
    /// moved to a host with another time stamp counter, after a checkpoint was restored, and in emulated kernels: then a
    /// plain subtraction traps, and one that wraps around takes a moment for centuries. Readings of one turn may also be
    /// taken in another order than they are compared in.
    @inlinable @inline(__always)
    public static func elapsed(from start: UInt64, to now: UInt64) -> UInt64 {
        now > start ? now &- start : 0
    }
}

/// Lets something happen at most once in a period, by a monotonic clock.
public struct Throttle: Hashable, Sendable {
    private let period: UInt64
    private var last: UInt64?

    /// `period` is in the unit of the clock's readings.
    public init(every period: UInt64) {
        self.period = period
    }

    /// Whether it may happen now; it is taken to happen then.
    public mutating func allows(at now: UInt64) -> Bool {
        if let last, Monotonic.elapsed(from: last, to: now) < period { return false }
        last = now
        return true
    }
}
