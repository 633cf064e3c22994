import Foundation
import TestSupport
import Testing

/// Upgrades that come to nothing: the old process goes on and says why.
struct FailedUpgradeTests {
    private func play(_ load: Scene.Load = .light, _ play: (ReloadBench, Lineage) async throws -> Void) async throws {
        try await reloadScene(load) { bench in
            try Files.write(
                bench.text([("web", bench.first), ("local", "unix:\(bench.scene.path("front.sock"))")]), to: bench.path)
            try await bench.lineage(relays: 2) { lineage in try await play(bench, lineage) }
        }
    }

    /// It serves as before, from the same files.
    private func expectUnharmed(_ bench: ReloadBench, _ lineage: Lineage) async throws {
        try await bench.converse(bench.first)
        try await bench.converse("unix:\(bench.scene.path("front.sock"))")
        #expect(Lineage.isRunning(lineage.current))
    }

    @Test(.needs("python3")) func programThatEnds_leavesTheOldOne_andABetterOneTakesOver() async throws {
        try await play { bench, lineage in
            try await bench.begin(bench.first, "open")
            try bench.installScript("exit 3")
            try lineage.send(SIGUSR2)
            let said = try await lineage.errors.line(
                containing: "upgrade failed, this process goes on: it ended with status 3")
            #expect(said.contains("before it was ready") && said.contains("\"level\":\"error\""))
            try await expectUnharmed(bench, lineage)

            try Files.remove(bench.binaryPath)
            try lineage.send(SIGUSR2)
            try await lineage.errors.line(
                containing: "cannot start \(bench.binaryPath): No such file or directory (ENOENT)")
            try await expectUnharmed(bench, lineage)

            try bench.installScript("kill -9 $$")
            try lineage.send(SIGUSR2)
            try await lineage.errors.line(containing: "goes on: it was killed by signal 9 before it was ready")
            try await expectUnharmed(bench, lineage)

            try bench.installBinary()
            try await lineage.upgrade()
            try await expectUnharmed(bench, lineage)
            try await bench.exchange("open")
            try await bench.end("open")
        }
    }

    /// The new process says itself what is wrong, on the same output.
    @Test(.needs("python3")) func configurationThatIsWrong_isToldByTheNewProcess() async throws {
        try await play { bench, lineage in
            try Files.write(bench.start + "bogus: 1\n", to: bench.path)
            try await lineage.errors.line(containing: "reload rejected, generation 1 stays in force")
            try lineage.send(SIGUSR2)
            try await lineage.errors.line(containing: "goes on: it ended with status 78 before it was ready")
            let told = lineage.errors.all.filter { $0.contains("unknown key `bogus`") }
            #expect(told.contains { !$0.hasPrefix("{") }, "\(told)")
            try await expectUnharmed(bench, lineage)
        }
    }

    /// Also one that has bound everything, and then finds that the admin API's address is somebody else's.
    @Test(.needs("python3")) func processThatFailsLate_leavesTheFilesAlone() async throws {
        try await play { bench, lineage in
            kill(lineage.current, SIGSTOP)
            let other = try await bench.puppet.listen("other", "127.0.77.3:0")
            try Files.replace(
                bench.path,
                with: bench.text(
                    [("web", bench.first), ("local", "unix:\(bench.scene.path("front.sock"))")],
                    more: "admin: { listen: '\(other)' }"))
            kill(lineage.current, SIGUSR2)
            kill(lineage.current, SIGCONT)
            try await lineage.errors.line(containing: "goes on: it ended with status 71 before it was ready")
            try await expectUnharmed(bench, lineage)
        }
    }

    @Test(.needs("python3")) func programThatIsNeverReady_isEnded_andTheRestHappensAfterIt() async throws {
        try await play(.waiting) { bench, lineage in
            try bench.installScript("exec sleep 600")
            try lineage.send(SIGUSR2)
            let started = try await lineage.errors.line(containing: "upgrade: started \(bench.binaryPath)")
            let sleeper = try #require(started.firstMatch(of: /"process":"(\d+)"/).flatMap { pid_t($0.1) })
            try lineage.send(SIGUSR2)
            try await lineage.errors.line(containing: "no further upgrade: one is under way")
            // A reload waits: the other process may have read the file already.
            try Files.replace(bench.path, with: bench.added)
            try await expectUnharmed(bench, lineage)
            try await lineage.errors.line(containing: "was not ready within 30 s and is ended", within: .seconds(60))
            try await bench.reloaded(lineage.first, 2)
            try await bench.converse(bench.second)
            try await bench.scene.eventually("it ends") { !Lineage.isRunning(sleeper) }
        }
    }

    @Test(.needs("python3")) func signalToStop_duringAnUpgrade_stopsBoth() async throws {
        try await play { bench, lineage in
            try bench.installScript("exec sleep 600")
            try lineage.send(SIGUSR2)
            let started = try await lineage.errors.line(containing: "upgrade: started \(bench.binaryPath)")
            let sleeper = try #require(started.firstMatch(of: /"process":"(\d+)"/).flatMap { pid_t($0.1) })
            try lineage.send(SIGTERM)
            #expect(try await lineage.finish(bench.scene) == "status 0")
            try await bench.scene.eventually("it ends") { !Lineage.isRunning(sleeper) }
            #expect(!FileManager.default.fileExists(atPath: bench.scene.path("front.sock")))
        }
    }

    @Test(.needs("python3")) func recordingToOneFile_isAReasonNotTo() async throws {
        try await reloadScene { bench in
            let program = try bench.scene.start([
                TaplineProcess.binary, "forward", "\(bench.first)=\(bench.upstream)", "--log-format", "json",
                "--record", bench.scene.path("one.pcapng"),
            ])
            try await program.errors.line(containing: " listens on ")
            try await program.send(SIGUSR2)
            try await program.errors.line(containing: "no upgrade: what --record writes is one file")
            try await bench.converse(bench.first)
        }
    }

    @Test(.needs("python3", "unshare"), .needsNetworkNamespace) func processOne_isNotReplaced() async throws {
        try await reloadScene { bench in
            try Files.write(bench.start, to: bench.path)
            let program = try bench.scene.start([
                "unshare", "--pid", "--fork", "--kill-child", TaplineProcess.binary, "run", "--config", bench.path,
            ])
            try await program.errors.line(containing: " listens on ")
            let outer = try await program.pid()
            let children = try String(contentsOfFile: "/proc/\(outer)/task/\(outer)/children", encoding: .utf8)
            let inner = try #require(children.split(separator: " ").first.flatMap { pid_t($0) })
            #expect(kill(inner, SIGUSR2) == 0)
            let said = try await program.errors.line(containing: "no upgrade: this is process 1 of its container")
            #expect(said.contains("start a container with the other version instead"))
            try await bench.converse(bench.first)
        }
    }
}
