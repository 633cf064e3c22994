internal import Synchronization

/// When the workers' free memory may be returned to the system: while no worker has traffic, and seldom. Times are
/// nanoseconds of the monotonic clock.
///
/// It takes about 0.1 ms for each MiB, in which the worker does nothing else, and other workers may wait for memory.
///
/// Any thread: atomic.
final class IdleMemory: Sendable {
    /// How long all workers must have been without traffic.
    static let quiet: UInt64 = 500_000_000
    /// The shortest time between two returns.
    static let pause: UInt64 = 10_000_000_000

    private let busyAt = Atomic<UInt64>(0)
    /// 0: never.
    private let returnedAt = Atomic<UInt64>(0)

    /// A worker has traffic.
    func noteTraffic(at now: UInt64) {
        busyAt.store(now, ordering: .relaxed)
    }

    /// Whether the caller is to return memory now.
    func mayReturn(at now: UInt64) -> Bool {
        guard Self.hasPassed(Self.quiet, since: busyAt.load(ordering: .relaxed), now) else { return false }
        let last = returnedAt.load(ordering: .relaxed)
        guard last == 0 || Self.hasPassed(Self.pause, since: last, now) else { return false }
        return returnedAt.compareExchange(expected: last, desired: max(now, 1), ordering: .relaxed).exchanged
    }

    private static func hasPassed(_ time: UInt64, since start: UInt64, _ now: UInt64) -> Bool {
        now >= start && now - start >= time
    }
}
