internal import Synchronization

/// A number of units that all workers share: the process's descriptors, or a relay's connection slots.
///
/// Any thread. A caller that finds too few units waits; the next `give` wakes it, so nothing polls.
public final class Budget: Sendable {
    private let available: Atomic<Int>
    private let isAwaited = Atomic<Bool>(false)
    private let wake: @Sendable () -> Void

    /// A budget of `units`. `wake` is called on the thread that gives units back and must not block; it may be called
    /// once too often, but never too seldom.
    init(_ units: Int, wake: @escaping @Sendable () -> Void) {
        available = Atomic(units)
        self.wake = wake
    }

    /// Takes units, or none if too few are left; then the next `give` calls `wake`.
    func take(_ units: Int) -> Bool {
        if takeIfAvailable(units) { return true }
        isAwaited.store(true, ordering: .sequentiallyConsistent)
        // Units given back before the flag was visible are found by this second attempt.
        return takeIfAvailable(units)
    }

    /// Takes units, or none if too few are left, without a later call of `wake`.
    func takeIfAvailable(_ units: Int) -> Bool {
        var current = available.load(ordering: .sequentiallyConsistent)
        while current >= units {
            let (exchanged, original) = available.weakCompareExchange(
                expected: current, desired: current - units, ordering: .sequentiallyConsistent)
            if exchanged { return true }
            current = original
        }
        return false
    }

    /// Gives units back.
    func give(_ units: Int) {
        available.add(units, ordering: .sequentiallyConsistent)
        // Loaded first, because an exchange would make every worker contend for the cache line.
        guard isAwaited.load(ordering: .sequentiallyConsistent) else { return }
        if isAwaited.exchange(false, ordering: .sequentiallyConsistent) { wake() }
    }

    /// Changes the size. A smaller budget may be overspent for a while; then no unit is granted until enough have been
    /// given back.
    func grow(by units: Int) {
        if units >= 0 {
            give(units)
        } else {
            available.add(units, ordering: .sequentiallyConsistent)
        }
    }

    /// The units left, for tests and reports.
    var left: Int { available.load(ordering: .relaxed) }
}
