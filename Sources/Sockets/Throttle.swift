/// Limits an action to once per period of a monotonic clock.
public struct Throttle: Hashable, Sendable {
    private let period: UInt64
    private var last: UInt64?

    /// A throttle with a period in the unit of the clock's readings.
    public init(every period: UInt64) {
        self.period = period
    }

    /// Whether the action may happen now; if so, the period starts again.
    public mutating func allows(at now: UInt64) -> Bool {
        if let last, Monotonic.elapsed(from: last, to: now) < period { return false }
        last = now
        return true
    }
}
