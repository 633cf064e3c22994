import EventLoop
import Glibc
import Sockets
import TestSupport
import Testing

/// A watch that calls a closure.
private final class Watch: Poll {
    var action: (Watch, Events) -> Void = { _, _ in }

    override func ready(_ events: Events) {
        action(self, events)
    }
}

@Suite struct PollTests {
    @Test func poll_bytesArrive_reportsReadable() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                let readable = harness.mustCall("readable")
                let watch = harness.keep(try Watch(loop: harness.loop, fd: here, for: .readable))
                watch.action = { watch, events in
                    #expect(events == .readable)
                    readable()
                    watch.close()
                }
                poke(there)
                try harness.turnUntilCalled()
            }
        }
    }

    /// A watch that counts consecutive rounds with events, such as a listener's, must not count as idle because many
    /// others are ready too.
    @Test func moreEventsThanATurnReports_areOneRound() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                poke(there)
                let copies = (0..<600).map { _ in dup(here) }
                defer { copies.forEach { close($0) } }
                var rounds: [[UInt64]] = Array(repeating: [], count: copies.count)
                let watches = try copies.enumerated().map { number, fd in
                    let watch = harness.keep(try Watch(loop: harness.loop, fd: fd, for: .readable))
                    watch.action = { [unowned loop = harness.loop] _, _ in rounds[number].append(loop.rounds) }
                    return watch
                }
                for _ in 0..<30 { harness.loop.turn(wait: true) }
                watches.forEach { $0.close() }
                for notified in rounds {
                    #expect(notified.count >= 10)
                    #expect(zip(notified, notified.dropFirst()).allSatisfy { $1 - $0 <= 1 })
                }
            }
        }
    }

    @Test func poll_bytesNotRead_reportsReadableAgain() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                let readable = harness.mustCall("readable", times: 3)
                var calls = 0
                let watch = harness.keep(try Watch(loop: harness.loop, fd: here, for: .readable))
                watch.action = { watch, _ in
                    readable()
                    calls += 1
                    if calls == 3 { watch.close() }
                }
                poke(there)
                try harness.turnUntilCalled()
            }
        }
    }

    @Test func poll_roomToWrite_reportsWritableOnlyOnceThereIs() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                fill(here)
                let writable = harness.mustCall("writable")
                var hasRoom = false
                let watch = harness.keep(try Watch(loop: harness.loop, fd: here, for: .writable))
                watch.action = { watch, events in
                    #expect(events == .writable)
                    #expect(hasRoom)
                    writable()
                    watch.close()
                }
                harness.turnAFewTimes()
                hasRoom = true
                empty(there)
                try harness.turnUntilCalled()
            }
        }
    }

    @Test func poll_peerEndsItsHalf_reportsReadable() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                let readable = harness.mustCall("readable")
                let watch = harness.keep(try Watch(loop: harness.loop, fd: here, for: .readable))
                watch.action = { watch, events in
                    #expect(events.contains(.readable))
                    readable()
                    watch.close()
                }
                shutdown(there, CInt(SHUT_WR))
                try harness.turnUntilCalled()
            }
        }
    }

    /// An error is reported for any interest until it is cleared; the socket has its number.
    @Test(arguments: [Poll.Events.readable, [], [.readable, .writable]])
    func poll_peerResets_reportsTheErrorUntilItRests(interest: Poll.Events) async throws {
        try await LoopHarness.run { harness in
            let listener = try PeerListener()
            let socket = try Socket(family: AF_INET)
            guard socket.connect(to: listener.address) == .connected else { throw TestFailure("not connected") }
            let peer = try listener.accept()
            let failed = harness.mustCall("error", times: 2)
            let watch = harness.keep(try Watch(loop: harness.loop, fd: socket.fd, for: interest))
            var calls = 0
            watch.action = { watch, events in
                guard events != .writable else { return }
                #expect(events.contains(.error))
                failed()
                calls += 1
                if calls == 2 { watch.rest() }
            }
            try peer.reset()
            try harness.turnUntilCalled()
            #expect(watch.interest == nil)
            harness.turnAFewTimes()
            let error = socket.takeError()
            #expect(error == Errno(ECONNRESET))
            watch.close()
        }
    }

    /// The end of both halves is reported permanently, so a watch without interest has to rest.
    @Test func poll_bothHalvesEnded_reportsHangupUntilItRests() async throws {
        try await LoopHarness.run { harness in
            let listener = try PeerListener()
            let socket = try Socket(family: AF_INET)
            guard socket.connect(to: listener.address) == .connected else { throw TestFailure("not connected") }
            let peer = try listener.accept()
            let hungUp = harness.mustCall("hangup", times: 2)
            let watch = harness.keep(try Watch(loop: harness.loop, fd: socket.fd, for: []))
            var calls = 0
            watch.action = { watch, events in
                #expect(events == .hangup)
                hungUp()
                calls += 1
                if calls == 2 { watch.rest() }
            }
            socket.endWriting()
            peer.endWriting()
            try harness.turnUntilCalled()
            harness.turnAFewTimes()
            watch.watch(.readable)
            #expect(watch.interest == .readable)
            watch.close()
        }
    }

    @Test func poll_withoutInterest_reportsNothing() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                let watch = harness.keep(try Watch(loop: harness.loop, fd: here, for: .readable))
                watch.action = { _, events in Issue.record("reported \(events)") }
                watch.watch([])
                poke(there)
                harness.turnAFewTimes()
                watch.close()
            }
        }
    }

    @Test func poll_closedInItsCallback_isNotifiedNoMore() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                let called = harness.mustCall("ready")
                let watch = harness.keep(try Watch(loop: harness.loop, fd: here, for: .writable))
                watch.action = { watch, _ in
                    called()
                    watch.close()
                    #expect(watch.isClosed)
                    watch.close()
                }
                watch.watch([.readable, .writable])
                poke(there)
                try harness.turnUntilCalled()
                harness.turnAFewTimes()
            }
        }
    }

    @Test func poll_closedByAnothersCallback_isNotNotified() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                let called = harness.mustCall("one of the two")
                let first = harness.keep(try Watch(loop: harness.loop, fd: here, for: .readable))
                let second = harness.keep(try Watch(loop: harness.loop, fd: there, for: .readable))
                first.action = { _, _ in
                    called()
                    first.close()
                    second.close()
                }
                second.action = first.action
                defer { (first.action, second.action) = ({ _, _ in }, { _, _ in }) }
                poke(here)
                poke(there)
                try harness.turnUntilCalled()
                harness.turnAFewTimes()
            }
        }
    }

    @Test func poll_descriptorThatCannotBeWatched_throws() async throws {
        try await LoopHarness.run { harness in
            let file = open("/proc/self/status", O_RDONLY | O_CLOEXEC)
            defer { close(file) }
            #expect(throws: UVError.self) { _ = try Watch(loop: harness.loop, fd: file, for: .readable) }
            #expect(throws: UVError.self) { _ = try Watch(loop: harness.loop, fd: -1, for: .readable) }
        }
    }
}
