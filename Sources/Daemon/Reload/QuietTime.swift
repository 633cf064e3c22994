/// Decides when to read a changing file: once it has been quiet for a while, but no later than a bound, because writes
/// may never stop. Times are milliseconds of any clock.
struct QuietTime: Hashable, Sendable {
    /// Enough for an editor to finish saving.
    static let quiet: UInt64 = 200
    /// The most time from the first change to the read. With the time for applying it, a change is in force within a
    /// second.
    static let most: UInt64 = 800

    /// The time of the first change since the last read.
    private var since: UInt64?

    /// Whether a change is pending.
    var isWaiting: Bool { since != nil }

    /// Notes a change. Returns the delay until the read, which replaces the delay returned before.
    mutating func changed(at now: UInt64) -> UInt64 {
        let since = since ?? now
        self.since = since
        let waited = now - min(now, since)
        return min(Self.quiet, Self.most - min(Self.most, waited))
    }

    /// The file is being read.
    mutating func looked() {
        since = nil
    }
}
