/// A client that is held while its upstream is not up (`timeouts.wait`), and when the upstream is tried again. Pure.
///
/// Owned by its connection, from the first failed attempt to the end of the wait, on the loop's thread. Times are the
/// loop's clock, milliseconds.
final class UpstreamWait {
    /// The first pause between two attempts; each further one is twice as long.
    private static let shortestPause: UInt64 = 50
    /// The longest pause: the delay that a client may see after its upstream has come up.
    private static let longestPause: UInt64 = 500

    /// When the first attempt began.
    let since: UInt64
    /// How long the client is held.
    let limit: UInt64
    private(set) var attempts: UInt64 = 0
    /// Why the last attempt failed.
    private(set) var failure = DialFailure.nothingTried
    /// When to try again; nil while an attempt is in progress.
    private(set) var retryAt: UInt64?
    private var pause = shortestPause

    init(since: UInt64, limit: UInt64) {
        self.since = since
        self.limit = limit
    }

    /// Handles a failed attempt. Returns whether to try again, at `retryAt`: the upstream may come up, and the wait is
    /// not over. The last attempt begins when the wait ends.
    func hold(after failure: DialFailure, at now: UInt64) -> Bool {
        attempts &+= 1
        self.failure = failure
        let waited = now &- since
        guard failure.mayPass, waited < limit else { return false }
        retryAt = now &+ min(pause, limit - waited)
        pause = min(pause * 2, Self.longestPause)
        return true
    }

    /// Another attempt begins.
    func retry() {
        retryAt = nil
    }
}
