import EventLoop
import Glibc
import Sockets
import TestSupport
import Testing

@Suite struct LoopTests {
    @Test func loop_nothingOpen_runReturnsAtOnce() async throws {
        try await LoopHarness.run { harness in
            let loop = try EventLoop()
            loop.run()
            #expect(!loop.turn(wait: true))
            #expect(loop.openHandles.isEmpty)
            loop.close()
            #expect(harness.loop.openHandles == ["timer"])
        }
    }

    @Test func loop_handleLeftOpen_isNamed() async throws {
        try await Exclusive.run {
            let loop = try EventLoop()
            let mailbox = try Mailbox<Int>(loop: loop) { _ in }
            let timer = Timer(loop: loop) {}
            #expect(loop.openHandles.sorted() == ["async", "timer"])
            timer.close()
            #expect(loop.openHandles == ["async"])
            mailbox.close()
            #expect(loop.openHandles.isEmpty)
            loop.run()
            loop.close()
        }
    }

    @Test func loop_callbackThatNeverCame_failsTheTest() async throws {
        try await LoopHarness.run { harness in
            _ = harness.mustCall("never")
        } throws: {
            #expect("\($0)" == "never was called 0 times, not 1")
        }
    }

    /// Counts the ends of turns.
    private final class Observer: TurnObserver {
        var notifications = 0
        var action: (Observer) -> Void = { _ in }

        func turnEnded() {
            notifications += 1
            action(self)
        }
    }

    @Test func turn_thatEnds_notifiesItsObserverOnce_afterItsEvents_andKeepsItUntilThen() async throws {
        try await LoopHarness.run { harness in
            weak var known: Observer?
            var fired = 0
            let timers = (0..<3).map { _ in
                Timer(loop: harness.loop) { [unowned loop = harness.loop] in
                    fired += 1
                    if let known { return #expect(known.notifications == 0, "the turn goes on") }
                    let observer = Observer()
                    known = observer
                    loop.notifyAtTurnEnd(observer)
                }
            }
            for timer in timers { timer.start(after: 0) }
            harness.loop.turn(wait: false)
            #expect(fired == 3)
            #expect(known == nil, "it is released after the turn")
            let observer = Observer()
            harness.loop.notifyAtTurnEnd(observer)
            for _ in 0..<3 { harness.loop.turn(wait: false) }
            #expect(observer.notifications == 1)
            timers.forEach { $0.close() }
        }
    }

    @Test func observerThatRegistersAgainWhenATurnEnds_isNotifiedAgain() async throws {
        try await LoopHarness.run { harness in
            let observer = Observer()
            observer.action = { [unowned loop = harness.loop] one in
                if one.notifications < 3 { loop.notifyAtTurnEnd(one) }
            }
            harness.loop.notifyAtTurnEnd(observer)
            harness.loop.turn(wait: false)
            #expect(observer.notifications == 3)
        }
    }

    @Test func loop_signal_callsBack() async throws {
        try await LoopHarness.run { harness in
            let called = harness.mustCall("signal")
            let watch = try SignalWatch(loop: harness.loop, signal: SIGUSR1) { called() }
            kill(getpid(), SIGUSR1)
            try harness.turnUntilCalled()
            watch.close()
        }
    }

    @Test func loop_signalThatCannotBeCaught_throwsAndLeavesNothing() async throws {
        try await LoopHarness.run { harness in
            let error = #expect(throws: UVError.self) {
                _ = try SignalWatch(loop: harness.loop, signal: SIGKILL) {}
            }
            #expect(error?.name == "EINVAL")
        }
    }

    @Test func error_ofTheSystem_hasItsSymbolWordsAndNumber() {
        let inUse = UVError(code: -EADDRINUSE)
        #expect(inUse.name == "EADDRINUSE")
        #expect(inUse.description == "address already in use")
        #expect(inUse.errno == Errno(EADDRINUSE))
        let lookup = UVError(code: -3008)
        #expect(lookup.name == "EAI_NONAME")
        #expect(lookup.errno == nil)
    }
}
