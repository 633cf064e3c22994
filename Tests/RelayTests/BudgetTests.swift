import Synchronization
import TestSupport
import Testing

@testable import Relay

@Suite struct BudgetTests {
    @Test func budget_spent_refusesAndWakesOnceWhenUnitsComeBack() {
        let wakes = Monitor(0)
        let budget = Budget(3) { wakes.withLock { $0 += 1 } }
        #expect(budget.take(2))
        #expect(!budget.take(2))
        #expect(budget.left == 1, "a refusal uses nothing")
        budget.give(2)
        #expect(wakes.withLock { $0 } == 1)
        budget.give(0)
        #expect(wakes.withLock { $0 } == 1, "no caller waits any more")
        #expect(budget.left == 3)
    }

    @Test func budget_releaseWithoutWaiters_wakesNone() {
        let wakes = Monitor(0)
        let budget = Budget(1) { wakes.withLock { $0 += 1 } }
        #expect(budget.takeIfAvailable(1))
        #expect(!budget.takeIfAvailable(1), "asks in passing")
        budget.give(1)
        #expect(wakes.withLock { $0 } == 0)
    }

    @Test func budget_ofZero_refusesEveryRequest() {
        let budget = Budget(0) {}
        #expect(!budget.take(1))
        #expect(budget.take(0))
    }

    /// Threads that acquire units, and wait to be woken when there are none: if one wake-up were lost, a thread would
    /// hang.
    @Test func budget_manyThreads_noWakeIsLostAndNoUnitEither() async throws {
        try await Exclusive.run {
            for round in 0..<20 {
                let woken = Monitor(0)
                let counts = Counts()
                let budget = Budget(2) { woken.withLock { $0 += 1 } }
                let threads = try (0..<6).map { number in
                    try Background("taker \(number)") {
                        for _ in 0..<300 {
                            while true {
                                // As a listener does it: wake-ups before the attempt do not count.
                                let heard = woken.withLock { $0 }
                                if budget.take(1) { break }
                                _ = try woken.wait(for: "a wake in round \(round)") { $0 > heard ? true : nil }
                            }
                            counts.enter()
                            counts.leave()
                            budget.give(1)
                        }
                    }
                }
                for thread in threads { try thread.value() }
                #expect(budget.left == 2)
                #expect(counts.most <= 2)
            }
        }
    }

    /// The number of threads that hold a unit at the same time.
    private final class Counts: Sendable {
        private let state = Mutex((now: 0, most: 0))
        func enter() {
            state.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
        }
        func leave() { state.withLock { $0.now -= 1 } }
        var most: Int { state.withLock { $0.most } }
    }
}
