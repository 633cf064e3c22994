import EventLoop
import TestSupport
import Testing

@Suite struct TimerTests {
    @Test func timer_once_firesOnceAndNotEarly() async throws {
        try await LoopHarness.run { harness in
            let fired = harness.mustCall("timer")
            let loop = harness.loop
            let timer = try Timer(loop: loop) {}
            let start = EventLoop.nanoseconds
            let other = try Timer(loop: loop) {
                fired()
                // The clock of the loop counts whole milliseconds.
                #expect(EventLoop.nanoseconds - start >= 29_000_000)
            }
            other.start(after: 30)
            try harness.turnUntilCalled()
            harness.turnAFewTimes()
            timer.close()
            other.close()
        }
    }

    @Test func timer_repeating_firesUntilStopped() async throws {
        try await LoopHarness.run { harness in
            let fired = harness.mustCall("timer", times: 3)
            var calls = 0
            var stop: () -> Void = {}
            let timer = try Timer(loop: harness.loop) {
                fired()
                calls += 1
                if calls == 3 { stop() }
            }
            stop = { timer.stop() }
            timer.start(after: 1, every: 1)
            try harness.turnUntilCalled()
            harness.turnAFewTimes()
            timer.close()
        }
    }

    @Test func timer_closedInItsCallback_firesNoMore() async throws {
        try await LoopHarness.run { harness in
            let fired = harness.mustCall("timer")
            var close: () -> Void = {}
            let timer = try Timer(loop: harness.loop) {
                fired()
                close()
            }
            close = { timer.close() }
            timer.start(after: 1, every: 1)
            try harness.turnUntilCalled()
            harness.turnAFewTimes()
            #expect(timer.isClosed)
        }
    }

    @Test func timer_startedAnew_countsFromThen() async throws {
        try await LoopHarness.run { harness in
            let late = harness.mustCall("late")
            let timer = try Timer(loop: harness.loop) { late() }
            timer.start(after: 1)
            timer.start(after: 40)
            let start = harness.loop.now
            try harness.turnUntilCalled()
            #expect(harness.loop.now - start >= 40)
            timer.close()
        }
    }

    @Test func timer_letGoWithoutClose_staysInTheLoop() async throws {
        try await LoopHarness.run { harness in
            #expect(harness.loop.openHandles == ["timer"], "the harness's own")
            _ = try Timer(loop: harness.loop) {}
            #expect(harness.loop.openHandles == ["timer", "timer"])
        } throws: {
            #expect("\($0)".contains("handles left open: [\"timer\"]"))
        }
    }
}

extension LoopHarness {
    /// Runs a body whose test must fail, and hands over why it did.
    static func run(_ body: (LoopHarness) throws -> Void, throws check: (any Error) -> Void) async throws {
        do {
            try await run(body)
        } catch {
            check(error)
            return
        }
        Issue.record("the harness found nothing wrong")
    }
}
