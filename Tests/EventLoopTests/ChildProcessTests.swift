import EventLoop
import Glibc
import TestSupport
import Testing

/// Starting a program and reporting its exit.
@Suite struct ChildProcessTests {
    /// Runs a test with a shell script, and kills the shell if it is still running afterwards.
    private func run(
        _ harness: LoopHarness, _ script: String, descriptors: [Int32] = [],
        _ play: (ChildProcess, () -> ChildProcess.Ending?) throws -> Void
    ) throws {
        var ending: ChildProcess.Ending?
        let child = try ChildProcess(
            loop: harness.loop, path: "/bin/sh", arguments: ["sh", "-c", script], environment: ["KEY": "value"],
            descriptors: descriptors
        ) { ending = $0 }
        defer {
            child.send(SIGKILL)
            child.close()
        }
        try play(child) { ending }
    }

    /// A pipe without close-on-exec.
    private func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        guard Glibc.pipe(&ends) == 0 else { throw TestFailure("no pipe") }
        return (ends[0], ends[1])
    }

    /// Reads bytes, or the end of the stream, before the deadline.
    private func read(_ fd: Int32) throws -> [UInt8] {
        var entry = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 60_000) == 1 else { throw TestFailure("nothing to read, and no end") }
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = Glibc.read(fd, &bytes, bytes.count)
        return Array(bytes.prefix(max(0, count)))
    }

    @Test func program_inheritsTheGivenDescriptors_andNoOthers() async throws {
        try await LoopHarness.run { harness in
            let (meant, leaky) = (try pipe(), try pipe())
            defer { for fd in [meant.read, leaky.read] { Glibc.close(fd) } }
            let copy = fcntl(meant.write, F_DUPFD_CLOEXEC, 100)
            Glibc.close(meant.write)
            try run(harness, "echo $KEY >&3; exec sleep 600", descriptors: [copy]) { child, ending in
                Glibc.close(copy)
                Glibc.close(leaky.write)
                #expect(String(decoding: try read(meant.read), as: UTF8.self) == "value\n")
                // Its write end is closed here; a program that inherited it would keep it open.
                #expect(try read(leaky.read) == [])
                // The test's threads block other signals, and the program inherits that.
                child.send(SIGKILL)
                try harness.turn(until: "its end") { ending() != nil }
                #expect(ending() == .killed(SIGKILL))
            }
        }
    }

    @Test func end_isReportedOnce_withItsStatus() async throws {
        try await LoopHarness.run { harness in
            try run(harness, "exit 3") { child, ending in
                try harness.turn(until: "its end") { ending() != nil }
                #expect(ending() == .exited(3))
                // The process ID may belong to another process by now, so no signal is sent.
                child.send(SIGKILL)
                harness.turnAFewTimes()
            }
        }
    }

    @Test func program_thatIsNotThere_isAnError() async throws {
        try await LoopHarness.run { harness in
            let error = #expect(throws: (any Error).self) {
                _ = try ChildProcess(
                    loop: harness.loop, path: "/no/such", arguments: [], environment: [:], descriptors: []
                ) { _ in }
            }
            #expect("\(error.map { "\($0)" } ?? "")" == "cannot start /no/such: No such file or directory (ENOENT)")
        }
    }

    /// Descriptors that would overwrite each other are an error before the start.
    @Test func descriptor_thatIsInTheWay_isAnError() async throws {
        try await LoopHarness.run { harness in
            #expect(throws: (any Error).self) {
                try run(harness, "exit 0", descriptors: [100, 4]) { _, _ in }
            }
        }
    }

    /// If other code has reaped the status, or the system does not keep it, the exit is still reported.
    @Test func program_whoseStatusIsGone_hasEnded() async throws {
        try await LoopHarness.run { harness in
            try run(harness, "exit 3") { child, ending in
                var status: CInt = 0
                try #require(waitpid(child.id, &status, 0) == child.id)
                try harness.turn(until: "its end") { ending() != nil }
                #expect(ending() == .unknown)
            }
        }
    }
}
