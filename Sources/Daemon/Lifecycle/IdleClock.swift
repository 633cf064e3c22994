/// How long no connection has been open. Pure; times are the loop's clock, milliseconds.
///
/// Only ends of connections are reported, not openings: whether one is open now is known whenever the clock is read, and
/// a connection that came and went in between has reported its end.
struct IdleClock: Hashable, Sendable {
    /// The longest time without an open connection.
    let limit: UInt64
    private var since: UInt64?

    /// Starts without an open connection.
    init(limit: UInt64, now: UInt64) {
        self.limit = limit
        since = now
    }

    /// A connection has ended, or a timer has fired. Returns the time until the limit: 0 when it has passed, nil while a
    /// connection is open.
    mutating func read(open: Int, hasEnded: Bool, now: UInt64) -> UInt64? {
        guard open == 0 else {
            since = nil
            return nil
        }
        let start = hasEnded ? now : since ?? now
        since = start
        let passed = now >= start ? now - start : 0
        return passed >= limit ? 0 : limit - passed
    }
}
