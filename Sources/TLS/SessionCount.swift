#if DEBUG
    internal import Synchronization

    /// How many sessions of a context exist, so that tests can prove that each one is freed. Any thread: atomic.
    final class SessionCount: Sendable {
        private let count = Atomic<Int>(0)

        var value: Int { count.load(ordering: .relaxed) }

        func add(_ change: Int) {
            count.add(change, ordering: .relaxed)
        }
    }
#endif
