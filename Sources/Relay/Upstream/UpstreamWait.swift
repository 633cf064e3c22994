internal import Sockets

/// The wait of one client that is held until its upstream is up (`timeouts.wait`).
///
/// Owned by its connection from the first failed attempt on, on the loop's thread. Times are the loop's clock,
/// milliseconds.
final class UpstreamWait {
    /// The first pause between two attempts; each further one is twice as long.
    private static let shortestPause: UInt64 = 50
    /// The longest pause: the delay that a client may see after its upstream has come up.
    private static let longestPause: UInt64 = 500

    /// When the first attempt began.
    let since: UInt64
    /// How long the client is held.
    let limit: UInt64
    /// Failed attempts.
    private(set) var failures: UInt64 = 0
    /// Why the last of them failed.
    private(set) var failure = DialFailure.nothingTried
    /// When to try again; nil while an attempt is in progress.
    private(set) var retryAt: UInt64?
    private var pause = shortestPause
    /// When the attempt that succeeded began, or when the wait was given up; nil while the client is held.
    private var endedAt: UInt64?
    private var isConnected = false
    /// The relay's settings of a later configuration, which has come into force while the client was held.
    var relay: RelayRuntime?

    init(since: UInt64, limit: UInt64) {
        self.since = since
        self.limit = limit
    }

    /// The client waits for an attempt to succeed.
    var isHolding: Bool { endedAt == nil }

    /// Handles a failed attempt. Returns whether to try again, at `retryAt`: the upstream may come up, and the wait is
    /// not over. The last attempt begins when the wait ends.
    func hold(after failure: DialFailure, at now: UInt64) -> Bool {
        failures &+= 1
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

    /// The wait is over: the attempt that began at `time` has succeeded, or nothing is tried after `time`.
    func end(at time: UInt64, isConnected: Bool) {
        endedAt = time
        self.isConnected = isConnected
    }

    /// The facts for the connection's record.
    func facts(at now: UInt64) -> HoldFacts {
        HoldFacts(
            held: held(at: now), limit: limit, failures: failures, reason: failure.reason, errno: failure.errno,
            isConnected: isConnected)
    }

    /// How long the client was held.
    func held(at now: UInt64) -> UInt64 { Monotonic.elapsed(from: since, to: endedAt ?? now) }
}
