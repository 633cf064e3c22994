import TestSupport
import Testing

@testable import EventLoop

@Suite struct TimerTests {
    @Test func timer_once_firesOnceAndNotEarly() async throws {
        try await LoopHarness.run { harness in
            let fired = harness.mustCall("timer")
            let loop = harness.loop
            let timer = Timer(loop: loop) {}
            let start = EventLoop.nanoseconds
            let other = Timer(loop: loop) {
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

    /// libuv counts from its clock at the start of the turn, which may be long ago.
    @Test func timer_startedLateInALongTurn_isNotEarly() async throws {
        try await LoopHarness.run { harness in
            let fired = harness.mustCall("timer")
            var start: UInt64 = 0
            let late = Timer(loop: harness.loop) {
                fired()
                #expect(EventLoop.nanoseconds - start >= 39_000_000)
            }
            let busy = Timer(loop: harness.loop) {
                Self.spin(milliseconds: 30)
                start = EventLoop.nanoseconds
                late.start(after: 40)
            }
            busy.start(after: 1)
            try harness.turnUntilCalled()
            late.close()
            busy.close()
        }
    }

    @Test func loop_afterALongTurn_waitsForItsTimerFromNowOn() async throws {
        try await LoopHarness.run { harness in
            // Without the harness's own timer.
            let loop = try EventLoop()
            let timer = Timer(loop: loop) {}
            timer.start(after: 60_000)
            Self.spin(milliseconds: 30)
            #expect(loop.patience <= 60_000 - 29)
            let busy = Timer(loop: loop) { Self.spin(milliseconds: 30) }
            busy.start(after: 0)
            timer.start(after: 60_000)
            loop.turn(wait: false)
            #expect(loop.patience <= 60_000 - 29)
            busy.close()
            timer.close()
            loop.run()
            loop.close()
        }
    }

    private static func spin(milliseconds: UInt64) {
        let start = EventLoop.nanoseconds
        while EventLoop.nanoseconds - start < milliseconds * 1_000_000 {}
    }

    @Test func timer_repeating_firesUntilStopped() async throws {
        try await LoopHarness.run { harness in
            let fired = harness.mustCall("timer", times: 3)
            var calls = 0
            var stop: () -> Void = {}
            let timer = Timer(loop: harness.loop) {
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
            let timer = Timer(loop: harness.loop) {
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

    @Test func timer_restarted_countsFromThen() async throws {
        try await LoopHarness.run { harness in
            let late = harness.mustCall("late")
            let timer = Timer(loop: harness.loop) { late() }
            timer.start(after: 1)
            timer.start(after: 40)
            let start = harness.loop.now
            try harness.turnUntilCalled()
            #expect(harness.loop.now - start >= 40)
            timer.close()
        }
    }

    @Test func timer_releasedWithoutClose_staysInTheLoop() async throws {
        try await LoopHarness.run { harness in
            #expect(harness.loop.openHandles == ["timer"], "the harness's own")
            _ = Timer(loop: harness.loop) {}
            #expect(harness.loop.openHandles == ["timer", "timer"])
        } throws: {
            #expect("\($0)".contains("handles left open: [\"timer\"]"))
        }
    }
}

extension LoopHarness {
    /// Runs a body that must fail, and checks the error.
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
