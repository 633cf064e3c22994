internal import Synchronization

/// A number of units that all workers share: descriptors of the process, or slots of a relay.
///
/// Any thread. Whoever finds it spent waits; whoever gives back while somebody waits wakes them, so that nobody polls.
public final class Budget: Sendable {
    private let available: Atomic<Int>
    private let isAwaited = Atomic<Bool>(false)
    private let wake: @Sendable () -> Void

    /// A budget of so many units. `wake` is called on the thread that gives back, must not block, and may come once too
    /// often, never once too few.
    init(_ units: Int, wake: @escaping @Sendable () -> Void) {
        available = Atomic(units)
        self.wake = wake
    }

    /// Takes units, or none when there are not enough; then the next `give` calls `wake`.
    func take(_ units: Int) -> Bool {
        if takeIfAvailable(units) { return true }
        isAwaited.store(true, ordering: .sequentiallyConsistent)
        // Whoever gave back before it saw the flag left its units for this second look.
        return takeIfAvailable(units)
    }

    /// Takes units, or none when there are not enough; nobody is woken for it later.
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
        // The load first: an exchange would make every worker fight for the line.
        guard isAwaited.load(ordering: .sequentiallyConsistent) else { return }
        if isAwaited.exchange(false, ordering: .sequentiallyConsistent) { wake() }
    }

    /// Makes the budget larger, or smaller: then it may be overspent for a while, and nobody gets a unit until enough
    /// have come back.
    func grow(by units: Int) {
        if units >= 0 {
            give(units)
        } else {
            available.add(units, ordering: .sequentiallyConsistent)
        }
    }

    /// How many units are left, for tests and reports.
    var left: Int { available.load(ordering: .relaxed) }
}
