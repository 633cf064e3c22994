import EventLoop
import TestSupport
import Testing

@Suite struct LoopThreadTests {
    private struct Refusal: Error {}

    @Test func thread_itsLastHandleClosed_ends() async throws {
        try await Exclusive.run {
            // The system lists threads for a moment after they were joined, also those of the previous test.
            let (thread, mailbox) = try Self.startClosing()
            try Deadline.poll("one thread") { ProcessStats.threads(named: "looptest").count == 1 }
            #expect(mailbox.post(1))
            try Background("join") { thread.join() }.value()
            try Deadline.poll("the thread is gone") { ProcessStats.threads(named: "looptest").isEmpty }
            #expect(!mailbox.post(2))
        }
    }

    /// A thread whose only handle is a mailbox that closes at its first message.
    private static func startClosing() throws -> (thread: LoopThread, ready: Mailbox<Int>) {
        try LoopThread.start(name: "looptest") { loop in
            let close = Closing()
            let mailbox = try Mailbox<Int>(loop: loop) { _ in close.mailbox?.close() }
            close.mailbox = mailbox
            return mailbox
        }
    }

    /// A reference to the mailbox for its own handler.
    private final class Closing {
        var mailbox: Mailbox<Int>?
    }

    @Test func thread_setUpThrows_closesItsHandlesAndRethrows() async throws {
        try await Exclusive.run {
            #expect(throws: Refusal.self) {
                _ = try LoopThread.start(name: "looptest") { loop -> Int in
                    // The loop keeps the handle until it is closed; nothing here can close it after the throw.
                    let timer = Timer(loop: loop) {}
                    timer.start(after: 1, every: 1)
                    throw Refusal()
                }
            }
            try Deadline.poll("the thread is gone") { ProcessStats.threads(named: "looptest").isEmpty }
        }
    }

    @Test func thread_setUpOpensNothing_endsByItself() async throws {
        try await Exclusive.run {
            let (thread, ready) = try LoopThread.start(name: "looptest") { _ in 7 }
            #expect(ready == 7)
            try Background("join") { thread.join() }.value()
        }
    }

    /// The thread sanitizer reports one that is neither joined nor detached.
    @Test func thread_thatIsDetached_endsByItself() async throws {
        try await Exclusive.run {
            let (thread, mailbox) = try Self.startClosing()
            thread.detach()
            #expect(mailbox.post(1))
            try Deadline.poll("the thread ends") { ProcessStats.threads(named: "looptest").isEmpty }
        }
    }

    @Test func thread_loopCallbacks_runOnIt() async throws {
        try await Exclusive.run {
            let name = Monitor<[String: UInt64]?>(nil)
            let (thread, _) = try LoopThread.start(name: "looptest-with-a-long-name") { loop in
                let timer = Timer(loop: loop) {
                    name.withLock { $0 = ProcessStats.threads(named: "looptest-with-a") }
                    loop.closeHandles()
                }
                timer.start(after: 1)
                return 0
            }
            let found = try name.wait(for: "the timer") { $0 }
            #expect(found.count == 1, "15 bytes of the name are kept")
            try Background("join") { thread.join() }.value()
        }
    }
}
