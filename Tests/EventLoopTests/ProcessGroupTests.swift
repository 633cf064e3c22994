import EventLoop
import Glibc
import Sockets
import TestSupport
import Testing

/// Programs in a process group of their own.
@Suite struct ProcessGroupTests {
    /// Starts a shell script whose standard output is a pipe; passes the child, its group and the read end.
    private func start(
        _ script: String, _ harness: LoopHarness,
        _ play: (ChildProcess, Int32, () -> ChildProcess.Ending?) throws -> Void
    ) throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let copy = fcntl(ends[1], F_DUPFD_CLOEXEC, 100)
        close(ends[1])
        var ending: ChildProcess.Ending?
        let child = try ChildProcess(
            loop: harness.loop, path: "/bin/sh", arguments: ["sh", "-c", script],
            environment: ["PATH": "/usr/bin:/bin"], descriptors: [],
            streams: .init(input: .null, output: .descriptor(copy)), ownsGroup: true
        ) { ending = $0 }
        close(copy)
        defer {
            ProcessGroup(leader: child.id).send(SIGKILL)
            child.close()
            close(ends[0])
        }
        try play(child, ends[0]) { ending }
    }

    private func read(_ fd: Int32) throws -> String {
        var entry = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        try #require(poll(&entry, 1, 60_000) == 1, "nothing to read, and no end")
        var bytes = [UInt8](repeating: 0, count: 1000)
        let count = Glibc.read(fd, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    @Test func group_hasTheLeadersNumber_andASignalReachesAllOfIt() async throws {
        try await LoopHarness.run { harness in
            try start("sleep 600 & sleep 600 & echo ready; wait", harness) { child, output, ending in
                #expect(try read(output) == "ready\n")
                #expect(getpgid(child.id) == child.id && getpgrp() != child.id)
                let group = ProcessGroup(leader: child.id)
                #expect(!group.isEmpty)
                group.send(SIGTERM)
                try harness.turn(until: "the leader's end") { ending() != nil }
                #expect(ending() == .killed(SIGTERM))
                // The sleeping processes had the pipe, too.
                #expect(try read(output) == "")
            }
        }
    }

    /// This process ignores SIGPIPE, and its threads block signals.
    @Test func program_ignoresAndBlocksNoSignal_andReadsNothing() async throws {
        try await LoopHarness.run { harness in
            let former = signal(SIGPIPE, SIG_IGN)
            defer { signal(SIGPIPE, former) }
            let script = "cat; grep -E '^Sig(Blk|Ign):' /proc/self/status"
            try start(script, harness) { _, output, ending in
                try harness.turn(until: "its end") { ending() != nil }
                let signals = try read(output).split(separator: "\n").map { line in
                    // Signals 32 and 33 are glibc's own, which posix_spawn ignores.
                    (UInt64(line.suffix(16), radix: 16) ?? .max) & ~(3 << 31)
                }
                #expect(signals == [0, 0])
            }
        }
    }

    @Test func guard_thatIsClosed_leavesTheGroupAlone() async throws {
        try await LoopHarness.run { harness in
            try start("echo ready; exec sleep 600", harness) { child, output, ending in
                #expect(try read(output) == "ready\n")
                let guardian = try GroupGuard(loop: harness.loop, group: ProcessGroup(leader: child.id))
                guardian.close()
                harness.turnAFewTimes()
                #expect(ending() == nil && !ProcessGroup(leader: child.id).isEmpty)
            }
        }
    }
}
