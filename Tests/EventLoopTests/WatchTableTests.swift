import Glibc
import TestSupport
import Testing

@testable import EventLoop

/// A watch that calls closures.
private final class Watch: Poll {
    var action: (Events) -> Void = { _ in }
    var failure: (UVError) -> Void = { _ in }

    override func ready(_ events: Events) { action(events) }
    override func watchFailed(_ error: UVError) { failure(error) }
}

/// Watches are found by descriptor and generation; a refusal by the kernel fails one watch.
@Suite struct WatchTableTests {
    /// `posix_spawn` copies the descriptor table: until the new program runs, a socket that was closed here is still
    /// open and reported. A second descriptor in this process simulates the child's.
    @Test func descriptorClosed_aCopyStaysOpen_theNextWatchOfItIsNotNotified_andTheLoopGoesQuiet() async throws {
        try await LoopHarness.run { harness in
            let loop = harness.loop
            try withSocketPair { old, oldPeer in
                try withSocketPair { new, newPeer in
                    let number = dup(old)
                    let first = harness.keep(try Watch(loop: loop, fd: number, for: .readable))
                    first.action = { _ in Issue.record("a closed watch was notified") }
                    poke(oldPeer)
                    first.close(andDescriptor: true)
                    close(number)

                    // The next socket has the same number.
                    try #require(dup2(new, number) == number)
                    let second = harness.keep(try Watch(loop: loop, fd: number, for: .readable))
                    var events: [Poll.Events] = []
                    second.action = { events.append($0) }
                    let start = Deadline.now
                    for _ in 0..<50 { loop.turn(wait: false) }
                    #expect(events.isEmpty, "only the old socket is ready")
                    // Unless the test was delayed for a tenth of a second.
                    let isQuick = Deadline.now - start < 90_000_000
                    #expect(loop.renewals == 0 || !isQuick, "a program that is being started takes a moment")

                    // The copy is still open after a tenth of a second: the loop would spin.
                    loop.advance(by: 200)
                    for _ in 0..<2 { loop.turn(wait: false) }
                    #expect(loop.renewals == 1)
                    loop.advance(by: 10_000)
                    for _ in 0..<50 { loop.turn(wait: false) }
                    #expect(loop.renewals == 1, "nothing stale is reported any more")
                    #expect(events.isEmpty)

                    poke(newPeer)
                    try harness.turn(until: "the new socket is reported") { !events.isEmpty }
                    #expect(events.first == .readable)
                    second.close()
                    close(number)
                }
            }
        }
    }

    /// A renewed watch keeps its events, and a quiet watch stays quiet.
    @Test func renewedSet_watchesAsBefore() async throws {
        try await LoopHarness.run { harness in
            let loop = harness.loop
            try withSocketPair { stale, stalePeer in
                try withSocketPair { here, there in
                    let writable = harness.keep(try Watch(loop: loop, fd: here, for: .writable))
                    let quiet = harness.keep(try Watch(loop: loop, fd: there, for: .readable))
                    var calls = 0
                    quiet.action = { _ in Issue.record("a quiet watch was notified") }
                    quiet.rest()
                    poke(here)

                    let number = dup(stale)
                    let closed = harness.keep(try Watch(loop: loop, fd: number, for: .readable))
                    poke(stalePeer)
                    closed.close(andDescriptor: true)
                    close(number)
                    writable.action = { _ in calls += 1 }
                    loop.turn(wait: false)
                    loop.advance(by: 200)
                    loop.turn(wait: false)
                    #expect(loop.renewals == 1)
                    calls = 0
                    for _ in 0..<3 { loop.turn(wait: false) }
                    #expect(calls == 3)
                    writable.close()
                    var isReadable = false
                    quiet.action = { _ in isReadable = true }
                    quiet.watch(.readable)
                    try harness.turn(until: "awake again") { isReadable }
                    quiet.close()
                }
            }
        }
    }

    /// If the kernel refuses to move a watch to the new set, its owner is notified and can watch again later. A quiet
    /// watch has missed nothing.
    @Test func renewedSet_thatIsRefused_theOwnerIsNotified_andCanWatchAgain() async throws {
        try await LoopHarness.run { harness in
            let loop = harness.loop
            try withSocketPair { stale, stalePeer in
                try withSocketPair { here, there in
                    let listening = harness.keep(try Watch(loop: loop, fd: here, for: .readable))
                    let quiet = harness.keep(try Watch(loop: loop, fd: there, for: .readable))
                    quiet.rest()
                    quiet.failure = { _ in Issue.record("a quiet watch misses nothing") }
                    var failures: [UVError] = []
                    listening.failure = { [unowned listening] in
                        failures.append($0)
                        listening.rest()
                    }

                    let number = dup(stale)
                    let closed = harness.keep(try Watch(loop: loop, fd: number, for: .readable))
                    poke(stalePeer)
                    closed.close(andDescriptor: true)
                    close(number)
                    loop.turn(wait: false)
                    loop.advance(by: 200)
                    loop.refuseWatches(with: ENOSPC)
                    loop.turn(wait: false)
                    #expect(loop.renewals == 1)
                    #expect(failures == [UVError(code: -ENOSPC)])
                    #expect(listening.interest == nil && quiet.interest == nil)

                    listening.watch(.readable)
                    #expect(failures.count == 2, "still refused")
                    loop.refuseWatches(with: nil)
                    var ready = 0
                    listening.action = { _ in
                        ready += 1
                        empty(here)
                    }
                    quiet.action = { _ in
                        ready += 10
                        empty(there)
                    }
                    listening.watch(.readable)
                    quiet.watch(.readable)
                    poke(here)
                    poke(there)
                    try harness.turn(until: "both work again") { ready == 11 }
                    listening.close()
                    quiet.close()
                }
            }
        }
    }

    /// A stale entry is also found while other sockets close in every turn.
    @Test func staleEntry_whileOthersCloseInEveryTurn_isFound() async throws {
        try await LoopHarness.run { harness in
            let loop = harness.loop
            try withSocketPair { stale, stalePeer in
                let number = dup(stale)
                let closed = harness.keep(try Watch(loop: loop, fd: number, for: .readable))
                poke(stalePeer)
                closed.close(andDescriptor: true)
                close(number)
                for _ in 0..<4 {
                    loop.turn(wait: false)
                    try withSocketPair { here, there in
                        let one = harness.keep(try Watch(loop: loop, fd: here, for: .readable))
                        one.action = { [unowned one] _ in one.close(andDescriptor: true) }
                        poke(there)
                        try harness.turn(until: "it closed") { one.isClosed }
                    }
                    loop.advance(by: 60)
                }
                #expect(loop.renewals == 1)
            }
        }
    }

    /// Sockets close in every turn, so their events of that turn match no watch; they are not stale.
    @Test func watchesClosedInTheirTurn_renewNothing() async throws {
        try await LoopHarness.run { harness in
            let loop = harness.loop
            for _ in 0..<20 {
                try withSocketPair { here, there in
                    let one = harness.keep(try Watch(loop: loop, fd: here, for: .readable))
                    let other = harness.keep(try Watch(loop: loop, fd: there, for: .readable))
                    let end: (Poll.Events) -> Void = { _ in
                        one.close(andDescriptor: true)
                        other.close(andDescriptor: true)
                    }
                    (one.action, other.action) = (end, end)
                    poke(here)
                    poke(there)
                    try harness.turn(until: "both closed") { one.isClosed && other.isClosed }
                    (one.action, other.action) = ({ _ in }, { _ in })
                }
                loop.advance(by: 200)
            }
            #expect(loop.renewals == 0)
        }
    }

    @Test(arguments: [ENOSPC, ENOMEM])
    func kernelRefusesANewWatch_throws_andALaterOneWorks(code: CInt) async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, _ in
                harness.loop.refuseWatches(with: code)
                #expect(throws: UVError(code: -code)) {
                    _ = try Watch(loop: harness.loop, fd: here, for: .readable)
                }
                let late = harness.keep(Watch(loop: harness.loop, fd: here))
                var failures: [UVError] = []
                late.failure = { failures.append($0) }
                late.watch(.writable)
                #expect(failures == [UVError(code: -code)])
                #expect(late.interest == nil)

                harness.loop.refuseWatches(with: nil)
                var isReady = false
                late.action = { _ in isReady = true }
                late.watch(.writable)
                try harness.turn(until: "the watch works") { isReady }
                late.close()
            }
        }
    }

    @Test func kernelRefusesAChange_theOwnerIsNotified_andTheWatchIsAsBefore() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                let watch = harness.keep(try Watch(loop: harness.loop, fd: here, for: .readable))
                var failures: [UVError] = []
                var events: [Poll.Events] = []
                watch.failure = { failures.append($0) }
                watch.action = {
                    events.append($0)
                    empty(here)
                }
                harness.loop.refuseWatches(with: ENOMEM, changes: true)
                watch.watch([.readable, .writable])
                #expect(failures == [UVError(code: -ENOMEM)])
                #expect(watch.interest == .readable)
                poke(there)
                try harness.turn(until: "readable as before") { !events.isEmpty }
                #expect(events == [.readable])
                watch.close()
            }
        }
    }

    /// If the user's limit of watches is reached, a resting watch can still be woken, because it kept its entry.
    @Test func watchThatRests_isWoken_whenTheLimitOfWatchesIsReached() async throws {
        try await LoopHarness.run { harness in
            try withSocketPair { here, there in
                let watch = harness.keep(try Watch(loop: harness.loop, fd: here, for: .readable))
                watch.failure = { Issue.record("refused: \($0)") }
                watch.rest()
                harness.loop.refuseWatches(with: ENOSPC)
                poke(there)
                var isReady = false
                watch.action = { _ in isReady = true }
                for _ in 0..<3 { harness.loop.turn(wait: false) }
                #expect(!isReady)
                watch.watch(.readable)
                try harness.turn(until: "awake") { isReady }
                watch.close()
            }
        }
    }

    /// libuv aborts the process if the kernel refuses its first entry, so the entry is added with the loop.
    @Test func newLoop_hasItsWakeDescriptorInLibuvsSetBeforeTheFirstTurn() async throws {
        try await LoopHarness.run { harness in
            let loop = try EventLoop()
            defer { loop.close() }
            let (backend, wake) = EventLoop.descriptors(of: loop.raw)
            let words = try Self.entries(of: backend).split { $0 == " " || $0 == "\n" }
            #expect(zip(words, words.dropFirst()).contains { $0 == "tfd:" && $1 == "\(wake)" }, "\(words)")
        }
    }

    /// The kernel's entries of an epoll descriptor (proc(5), `fdinfo`).
    private static func entries(of descriptor: CInt) throws -> String {
        let file = open("/proc/self/fdinfo/\(descriptor)", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw TestFailure("no fdinfo of descriptor \(descriptor)") }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(file, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
