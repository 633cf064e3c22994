/// Decides when to look at a file that is being changed: once nothing has changed for a while, but not later than a
/// bound, for something else may write there without end. Times are milliseconds of any clock.
struct QuietTime: Hashable, Sendable {
    /// Long enough for an editor to finish what it does when it saves.
    static let quiet: UInt64 = 200
    /// The longest time from the first change to the look. With what applying takes, a change is in force in a second.
    static let most: UInt64 = 800

    /// When the first change came that was not looked at yet.
    private var since: UInt64?

    /// Whether a change is waiting to be looked at.
    var isWaiting: Bool { since != nil }

    /// Something changed. Returns after how long to look, in place of the last such answer.
    mutating func changed(at now: UInt64) -> UInt64 {
        let since = since ?? now
        self.since = since
        let waited = now - min(now, since)
        return min(Self.quiet, Self.most - min(Self.most, waited))
    }

    /// It is being looked at now.
    mutating func looked() {
        since = nil
    }
}
