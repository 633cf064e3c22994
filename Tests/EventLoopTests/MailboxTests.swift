import EventLoop
import TestSupport
import Testing

/// A watch that calls a closure.
private final class OrderWatch: Poll {
    var action: () -> Void = {}

    override func ready(_ events: Events) {
        action()
    }
}

@Suite struct MailboxTests {
    @Test func mailbox_manyPostsBeforeATurn_comeInOrderInOneBatch() async throws {
        try await LoopHarness.run { harness in
            let called = harness.mustCall("batch")
            var batches: [[Int]] = []
            let mailbox = try Mailbox<Int>(loop: harness.loop) { batch in
                batches.append(batch)
                called()
            }
            for number in 0..<100 { #expect(mailbox.post(number)) }
            try harness.turnUntilCalled()
            #expect(batches == [Array(0..<100)])
            mailbox.close()
        }
    }

    @Test func mailbox_postInItsHandler_comesInTheNextBatch() async throws {
        try await LoopHarness.run { harness in
            let called = harness.mustCall("batch", times: 2)
            var batches: [[Int]] = []
            var answer: (Int) -> Void = { _ in }
            let mailbox = try Mailbox<Int>(loop: harness.loop) { batch in
                batches.append(batch)
                called()
                if batch == [1] { answer(2) }
            }
            answer = { mailbox.post($0) }
            mailbox.post(1)
            try harness.turnUntilCalled()
            #expect(batches == [[1], [2]])
            mailbox.close()
        }
    }

    /// A message posted before a client connects applies to it, whichever of the two the kernel reports first.
    @Test(arguments: [true, false])
    func mailbox_messageAndSocketReadyInOneTurn_theMessageComesFirst(postsFirst: Bool) async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                var order: [String] = []
                let mailbox = try Mailbox<Int>(loop: harness.loop) { _ in order.append("message") }
                let watch = harness.keep(try OrderWatch(loop: harness.loop, fd: here, for: .readable))
                watch.action = { order.append("socket") }
                harness.loop.turn(wait: false)
                #expect(order == [])
                if postsFirst { mailbox.post(1) }
                poke(there)
                if !postsFirst { mailbox.post(1) }
                harness.loop.turn(wait: true)
                #expect(order == ["message", "socket"])
                watch.close()
                mailbox.close()
            }
        }
    }

    /// The kernel had already returned the event of the watch when the message was handled.
    @Test func mailbox_messageClosesAWatchThatIsReady_theWatchIsNotNotified() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                let handled = harness.mustCall("message")
                var watch: OrderWatch? = harness.keep(try OrderWatch(loop: harness.loop, fd: here, for: .readable))
                watch?.action = { Issue.record("notified after it was closed") }
                let mailbox = try Mailbox<Int>(loop: harness.loop) { _ in
                    watch?.close()
                    watch = nil
                    handled()
                }
                poke(there)
                mailbox.post(1)
                harness.loop.turn(wait: true)
                harness.turnAFewTimes()
                mailbox.close()
            }
        }
    }

    @Test func mailbox_closed_refusesPostsAndReturnsTheRest() async throws {
        try await LoopHarness.run { harness in
            let mailbox = try Mailbox<Int>(loop: harness.loop) { Issue.record("handled \($0) after close") }
            mailbox.post(1)
            mailbox.post(2)
            #expect(mailbox.close() == [1, 2])
            #expect(!mailbox.post(3))
            #expect(mailbox.close() == [])
            harness.turnAFewTimes()
        }
    }

    @Test func mailbox_closedInItsHandler_handlesNoMore() async throws {
        try await LoopHarness.run { harness in
            let called = harness.mustCall("batch")
            var close: () -> Void = {}
            let mailbox = try Mailbox<Int>(loop: harness.loop) { _ in
                called()
                close()
            }
            close = {
                mailbox.post(2)
                #expect(mailbox.close() == [2])
            }
            mailbox.post(1)
            try harness.turnUntilCalled()
            harness.turnAFewTimes()
        }
    }

    @Test func mailbox_manyThreadsPost_everyMessageComesOnceAndInItsThreadsOrder() async throws {
        try await LoopHarness.run { harness in
            let threads = 8
            let each = 2000
            var last = [Int](repeating: -1, count: threads)
            var count = 0
            let mailbox = try Mailbox<Int>(loop: harness.loop) { batch in
                count += batch.count
                for message in batch {
                    let (thread, number) = (message / each, message % each)
                    if last[thread] != number - 1 { Issue.record("\(number) of \(thread) after \(last[thread])") }
                    last[thread] = number
                }
            }
            let posters = try (0..<threads).map { thread in
                try Background("poster \(thread)") {
                    for number in 0..<each where !mailbox.post(thread * each + number) {
                        throw TestFailure("an open mailbox refused \(number)")
                    }
                }
            }
            try harness.turn(until: "every message") { count == threads * each }
            for poster in posters { try poster.value() }
            mailbox.close()
        }
    }

    @Test func mailbox_closedWhileThreadsPost_nothingIsLostAndNothingIsAcceptedAfterwards() async throws {
        try await LoopHarness.run { harness in
            for _ in 0..<50 {
                var count = 0
                let mailbox = try Mailbox<Int>(loop: harness.loop) { count += $0.count }
                let posters = try (0..<2).map { _ in
                    try Background("poster") {
                        var accepted = 0
                        while mailbox.post(accepted) { accepted += 1 }
                        return accepted
                    }
                }
                try harness.turn(until: "a first message") { count > 0 }
                count += mailbox.close().count
                #expect(try posters.map { try $0.value() }.reduce(0, +) == count)
            }
            harness.turnAFewTimes()
        }
    }
}
