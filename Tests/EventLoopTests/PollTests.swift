import EventLoop
import Glibc
import Sockets
import TestSupport
import Testing

/// A watch that tells a closure.
private final class Watch: Poll {
    var action: (Watch, Events) -> Void = { _, _ in }

    override func ready(_ events: Events) {
        action(self, events)
    }
}

@Suite struct PollTests {
    @Test func poll_bytesArrive_tellsReadable() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                let readable = harness.mustCall("readable")
                let watch = try Watch(loop: harness.loop, fd: here)
                watch.action = { watch, events in
                    #expect(events == .readable)
                    readable()
                    watch.close()
                }
                watch.watch(.readable)
                poke(there)
                try harness.turnUntilCalled()
            }
        }
    }

    @Test func poll_bytesNotRead_tellsAgainAndAgain() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                let readable = harness.mustCall("readable", times: 3)
                var calls = 0
                let watch = try Watch(loop: harness.loop, fd: here)
                watch.action = { watch, _ in
                    readable()
                    calls += 1
                    if calls == 3 { watch.close() }
                }
                watch.watch(.readable)
                poke(there)
                try harness.turnUntilCalled()
            }
        }
    }

    @Test func poll_roomToWrite_tellsWritableOnlyOnceThereIs() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                fill(here)
                let writable = harness.mustCall("writable")
                var hasRoom = false
                let watch = try Watch(loop: harness.loop, fd: here)
                watch.action = { watch, events in
                    #expect(events == .writable)
                    #expect(hasRoom)
                    writable()
                    watch.close()
                }
                watch.watch(.writable)
                harness.turnAFewTimes()
                hasRoom = true
                empty(there)
                try harness.turnUntilCalled()
            }
        }
    }

    @Test func poll_peerEndsItsHalf_tellsReadable() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                let readable = harness.mustCall("readable")
                let watch = try Watch(loop: harness.loop, fd: here)
                watch.action = { watch, events in
                    #expect(events.contains(.readable))
                    readable()
                    watch.close()
                }
                watch.watch(.readable)
                shutdown(there, CInt(SHUT_WR))
                try harness.turnUntilCalled()
            }
        }
    }

    /// A plain reset: libuv stops the watch, says so once, and the error is the socket's to name.
    @Test(arguments: [Poll.Events.readable, .urgent, [.readable, .writable]])
    func poll_peerResets_tellsTheErrorOnce(interest: Poll.Events) async throws {
        try await LoopHarness.run { harness in
            let listener = try PeerListener()
            let socket = try Socket(family: AF_INET)
            guard socket.connect(to: listener.address) == .connected else { throw TestFailure("not connected") }
            let peer = try listener.accept()
            let failed = harness.mustCall("error")
            let watch = try Watch(loop: harness.loop, fd: socket.fd)
            watch.action = { watch, events in
                guard events != .writable else { return }
                #expect(events == .error)
                #expect(watch.interest == [])
                failed()
            }
            watch.watch(interest)
            try peer.reset()
            try harness.turnUntilCalled()
            harness.turnAFewTimes()
            let error = socket.takeError()
            #expect(error == Errno(ECONNRESET))
            watch.close()
        }
    }

    @Test func poll_watchesForNothing_tellsNothing() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                let watch = try Watch(loop: harness.loop, fd: here)
                watch.action = { _, events in Issue.record("told of \(events)") }
                watch.watch(.readable)
                watch.watch([])
                poke(there)
                harness.turnAFewTimes()
                watch.close()
            }
        }
    }

    @Test func poll_closedInItsCallback_isToldNoMore() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                let called = harness.mustCall("ready")
                let watch = try Watch(loop: harness.loop, fd: here)
                watch.action = { watch, _ in
                    called()
                    watch.close()
                    #expect(watch.isClosed)
                    watch.close()
                    watch.watch(.writable)
                }
                watch.watch([.readable, .writable])
                poke(there)
                try harness.turnUntilCalled()
                harness.turnAFewTimes()
            }
        }
    }

    @Test func poll_closedByAnothersCallback_isNotToldOfWhatWasReadyToo() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                let called = harness.mustCall("one of the two")
                let first = try Watch(loop: harness.loop, fd: here)
                let second = try Watch(loop: harness.loop, fd: there)
                first.action = { _, _ in
                    called()
                    first.close()
                    second.close()
                }
                second.action = first.action
                defer { (first.action, second.action) = ({ _, _ in }, { _, _ in }) }
                poke(here)
                poke(there)
                first.watch(.readable)
                second.watch(.readable)
                try harness.turnUntilCalled()
                harness.turnAFewTimes()
            }
        }
    }

    @Test func poll_descriptorThatCannotBeWatched_throws() async throws {
        try await LoopHarness.run { harness in
            let file = open("/proc/self/status", O_RDONLY | O_CLOEXEC)
            defer { close(file) }
            #expect(throws: UVError.self) { _ = try Watch(loop: harness.loop, fd: file) }
            #expect(throws: UVError.self) { _ = try Watch(loop: harness.loop, fd: -1) }
        }
    }
}
