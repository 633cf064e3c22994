import Synchronization
import Testing

@testable import Admin

/// One answer for many.
struct SharedAnswerTests {
    @Test func manyRequestsAtOnce_costOneQuery() async {
        let asked = Mutex(0)
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let answer = SharedAnswer(on: globalConcurrentExecutor, lifetime: { _ in .seconds(3600) }) {
            let number = asked.withLock { asked in
                asked += 1
                return asked
            }
            for await _ in gate { break }
            return number
        }
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<500 { group.addTask { await answer.value() } }
            open.yield()
            for await value in group { #expect(value == 1) }
        }
        #expect(await answer.value() == 1)
        #expect(asked.withLock { $0 } == 1)
    }

    @Test func answerThatIsTooOld_isRequestedAgain() async {
        let asked = Mutex(0)
        let answer = SharedAnswer(on: globalConcurrentExecutor, lifetime: { _ in .zero }) {
            asked.withLock { asked in
                asked += 1
                return asked
            }
        }
        #expect(await answer.value() == 1)
        #expect(await answer.value() == 2)
    }

    /// A client that has just changed something must not get an answer from before.
    @Test func answerAfterAChange_isNew_alsoWhileAQueryIsInProgress() async {
        let asked = Mutex(0)
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let answer = SharedAnswer(on: globalConcurrentExecutor, lifetime: { _ in .seconds(3600) }) {
            let number = asked.withLock { asked in
                asked += 1
                return asked
            }
            // The first query takes its time.
            if number == 1 {
                begin.yield()
                for await _ in gate { break }
            }
            return number
        }
        async let slow = answer.value()
        for await _ in begun { break }
        answer.changed()
        #expect(await answer.value() == 2)
        open.yield()
        // Who asked before the change gets the old answer, and no later request does.
        #expect(await slow == 1)
        #expect(await answer.value() == 2)
        answer.changed()
        #expect(await answer.value() == 3)
    }

    @Test func answerWithoutARequester_isForgotten() async {
        let answer = SharedAnswer(on: globalConcurrentExecutor) { 5 }
        #expect(await answer.value() == 5)
        #expect(!answer.forget(after: .seconds(3600)))
        #expect(answer.forget(after: .zero))
        #expect(await answer.value() == 5)
    }
}
