internal import Sockets

/// The results of a relay's connects in the last five minutes, and whether they fail now.
///
/// A value that reads no clock: times are milliseconds of the monotonic clock. Results may be added in any order, and the
/// windows of several workers add up to the relay's.
public struct RecentConnects: Hashable, Sendable {
    /// The window, milliseconds.
    public static let span: UInt64 = 300_000
    /// The window moves in steps of this, milliseconds.
    static let step: UInt64 = 10_000
    /// The latest results that decide, if all of them are failures.
    static let deciding = 3

    /// What the window says at one moment.
    public struct Summary: Hashable, Sendable {
        /// Connects that succeeded or failed.
        public var attempts: UInt64 = 0
        /// Connects that failed.
        public var failed: UInt64 = 0
        /// The relay's connects fail now.
        public var isFailing = false
        /// The reason of the latest failure; nil without one in the window.
        public var reason: EndReason?

        /// The state of a relay without connects.
        public init() {}
    }

    private struct Bucket: Hashable, Sendable {
        /// The time divided by `step`, plus one, so that 0 is an empty bucket.
        var number: UInt64 = 0
        var attempts: UInt64 = 0
        var failed: UInt64 = 0

        mutating func add(_ attempts: UInt64, failed: UInt64) {
            self.attempts = Self.sum(self.attempts, attempts)
            self.failed = Self.sum(self.failed, failed)
        }

        static func sum(_ first: UInt64, _ second: UInt64) -> UInt64 {
            let (sum, isOver) = first.addingReportingOverflow(second)
            return isOver ? .max : sum
        }
    }

    /// One connect.
    private struct Result: Hashable, Sendable {
        var time: UInt64
        /// Nil if it succeeded.
        var failure: EndReason?
    }

    /// A ring by number; empty until the first result.
    private var buckets: [Bucket] = []
    /// The last results, at most `deciding`, in the order of their times.
    private var latest: [Result] = []
    private var lastFailure: Result?

    /// A window without results.
    public init() {}

    /// Adds a connect that failed for a reason, or succeeded (nil).
    public mutating func add(_ failure: EndReason?, at time: UInt64) {
        count(1, failed: failure == nil ? 0 : 1, number: time / Self.step + 1)
        add(Result(time: time, failure: failure))
    }

    /// Adds another worker's window.
    mutating func add(_ other: RecentConnects) {
        for bucket in other.buckets where bucket.number > 0 {
            count(bucket.attempts, failed: bucket.failed, number: bucket.number)
        }
        for result in other.latest { add(result) }
        if let failure = other.lastFailure { noteFailure(failure) }
    }

    private mutating func count(_ attempts: UInt64, failed: UInt64, number: UInt64) {
        let size = Int(Self.span / Self.step)
        if buckets.isEmpty { buckets = Array(repeating: Bucket(), count: size) }
        let index = Int(number % UInt64(size))
        if buckets[index].number < number { buckets[index] = Bucket(number: number) }
        // An older bucket has left the window already.
        if buckets[index].number == number { buckets[index].add(attempts, failed: failed) }
    }

    private mutating func add(_ result: Result) {
        if result.failure != nil { noteFailure(result) }
        if latest.count == Self.deciding, let first = latest.first, result.time < first.time { return }
        let position = latest.lastIndex { $0.time <= result.time }.map { $0 + 1 } ?? 0
        latest.insert(result, at: position)
        if latest.count > Self.deciding { latest.removeFirst() }
    }

    private mutating func noteFailure(_ failure: Result) {
        if lastFailure.map({ $0.time <= failure.time }) ?? true { lastFailure = failure }
    }

    /// The window's contents at a moment.
    public func summary(at now: UInt64) -> Summary {
        var summary = Summary()
        let current = now / Self.step + 1
        let size = Self.span / Self.step
        for bucket in buckets where bucket.number > 0 && Monotonic.elapsed(from: bucket.number, to: current) < size {
            summary.attempts = Bucket.sum(summary.attempts, bucket.attempts)
            summary.failed = Bucket.sum(summary.failed, bucket.failed)
        }
        guard summary.failed > 0 else { return summary }
        summary.reason = lastFailure?.failure
        let failures = latest.filter { $0.failure != nil }.count
        summary.isFailing = Self.isFailing(
            lastFailed: latest.last?.failure != nil, latestFailures: failures, failed: summary.failed,
            attempts: summary.attempts)
        return summary
    }

    /// The one place that decides whether a relay's connects fail now: the last one failed, and either so did the two
    /// before it, or more than half of the window did. One success ends it.
    static func isFailing(lastFailed: Bool, latestFailures: Int, failed: UInt64, attempts: UInt64) -> Bool {
        lastFailed && (latestFailures >= deciding || failed > attempts / 2)
    }
}
