import Foundation
import TestSupport
import Testing

/// Upgrades that fail: the old process continues and reports why.
struct FailedUpgradeTests {
    private func play(
        _ load: Scene.Load = .light, more: String = "", _ play: (ReloadBench, Lineage) async throws -> Void
    ) async throws {
        try await reloadScene(load) { bench in
            try Files.write(
                bench.text([("web", bench.first), ("local", "unix:\(bench.scene.path("front.sock"))")], more: more),
                to: bench.path)
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
            try await bench.installScript("exit 3")
            try lineage.send(SIGUSR2)
            let said = try await lineage.errors.line(
                containing: "upgrade failed, this process continues: it exited with status 3")
            #expect(said.contains("before it was ready") && said.contains("\"level\":\"error\""))
            try await expectUnharmed(bench, lineage)

            try Files.remove(bench.binaryPath)
            try lineage.send(SIGUSR2)
            try await lineage.errors.line(
                containing: "cannot start \(bench.binaryPath): No such file or directory (ENOENT)")
            try await expectUnharmed(bench, lineage)

            try await bench.installScript("kill -9 $$")
            try lineage.send(SIGUSR2)
            try await lineage.errors.line(containing: "continues: it was killed by signal 9 before it was ready")
            try await expectUnharmed(bench, lineage)

            try await bench.installBinary()
            try await lineage.upgrade()
            try await expectUnharmed(bench, lineage)
            try await bench.exchange("open")
            try await bench.end("open")
        }
    }

    /// The new process reports the error itself, on the same output.
    @Test(.needs("python3")) func configurationThatIsWrong_isReportedByTheNewProcess() async throws {
        try await play { bench, lineage in
            try Files.write(bench.start + "bogus: 1\n", to: bench.path)
            try await lineage.errors.line(containing: "reload rejected, generation 1 stays active")
            try lineage.send(SIGUSR2)
            try await lineage.errors.line(containing: "continues: it exited with status 78 before it was ready")
            let reports = lineage.errors.all.filter { $0.contains("unknown key `bogus`") }
            #expect(reports.contains { !$0.hasPrefix("{") }, "\(reports)")
            try await expectUnharmed(bench, lineage)
        }
    }

    /// Also a process that has bound everything, and then finds that the admin API's address is in use.
    @Test(.needs("python3")) func processThatFailsLate_leavesTheFilesAlone() async throws {
        try await play { bench, lineage in
            try await StoppedProcess.stop(lineage.current)
            let other = try await bench.puppet.listen("other", "127.0.77.3:0")
            try Files.replace(
                bench.path,
                with: bench.text(
                    [("web", bench.first), ("local", "unix:\(bench.scene.path("front.sock"))")],
                    more: "admin: { listen: '\(other)' }"))
            kill(lineage.current, SIGUSR2)
            kill(lineage.current, SIGCONT)
            try await lineage.errors.line(containing: "continues: it exited with status 71 before it was ready")
            try await expectUnharmed(bench, lineage)
        }
    }

    @Test(.needs("python3")) func programThatIsNeverReady_isEnded_andTheRestHappensAfterIt() async throws {
        try await play(.waiting) { bench, lineage in
            try await bench.installScript("exec sleep 600")
            try lineage.send(SIGUSR2)
            let started = try await lineage.errors.line(containing: "upgrade: started \(bench.binaryPath)")
            let sleeper = try #require(started.firstMatch(of: /"process":(\d+)/).flatMap { pid_t($0.1) })
            try lineage.send(SIGUSR2)
            try await lineage.errors.line(containing: "upgrade refused: an upgrade is in progress")
            // A reload waits, because the other process may have read the file already.
            try Files.replace(bench.path, with: bench.added)
            try await expectUnharmed(bench, lineage)
            try await lineage.errors.line(
                containing: "was not ready within 30 s and was terminated", within: .seconds(90))
            try await bench.reloaded(lineage.first, 2)
            try await bench.converse(bench.second)
            try await bench.scene.eventually("it ends") { !Lineage.isRunning(sleeper) }
        }
    }

    @Test(.needs("python3")) func signalToStop_duringAnUpgrade_stopsBoth() async throws {
        try await play { bench, lineage in
            try await bench.installScript("exec sleep 600")
            try lineage.send(SIGUSR2)
            let started = try await lineage.errors.line(containing: "upgrade: started \(bench.binaryPath)")
            let sleeper = try #require(started.firstMatch(of: /"process":(\d+)/).flatMap { pid_t($0.1) })
            try lineage.send(SIGTERM)
            #expect(try await lineage.finish(bench.scene) == "status 0")
            try await bench.scene.eventually("it ends") { !Lineage.isRunning(sleeper) }
            #expect(!FileManager.default.fileExists(atPath: bench.scene.path("front.sock")))
        }
    }

    /// Connections that the new process has accepted before it is terminated may finish, within the limit of the old
    /// one.
    @Test(.needs("python3")) func connections_ofAProcessThatIsTerminated_finish() async throws {
        // Twice the usual time, for a busy machine.
        try await play(.waiting, more: "shutdown: { drain: 50s }") { bench, lineage in
            try await bench.begin(bench.first, "of the old one")
            // Its messages are discarded, so the old process never learns that it is ready.
            try await bench.installScript(
                """
                exec python3 -c '
                import os, socket, sys
                ours, theirs = socket.socketpair()
                channel = int(os.environ["TAPLINE_HANDOVER"].split()[1]) - 1
                if os.fork() == 0:
                    theirs.close()
                    while ours.recv(100):
                        pass
                    os._exit(0)
                os.dup2(theirs.fileno(), channel)
                os.execv(sys.argv[1], sys.argv[1:])' \(TaplineProcess.binary) "$@"
                """)
            let old = lineage.current
            try lineage.send(SIGUSR2)
            _ = try await lineage.errors.first(4) { $0.contains(" listens on ") }
            try await StoppedProcess.stop(old)
            try await bench.begin(bench.first, "of the new one")
            kill(old, SIGCONT)
            try lineage.send(SIGTERM)
            _ = try await lineage.errors.first(2) { $0.contains("1 open, waiting up to 50s") }
            // Longer than a process without connections would get.
            try await bench.scene.rest { try await Task.sleep(for: .seconds(7)) }
            for name in ["of the new one", "of the old one"] {
                try await bench.exchange(name)
                try await bench.end(name)
            }
            #expect(try await lineage.finish(bench.scene) == "status 0")
            let records = try await lineage.first.records(2)
            #expect(records.allSatisfy { $0.reason == "client_closed" })
        }
    }

    /// It reports that it is ready and exits before the report is read: no process would be left to serve.
    @Test(.needs("python3")) func processThatEndsWithTheWordReady_leavesTheOldOne() async throws {
        try await play { bench, lineage in
            // The old process is stopped until the system has also reported the exit, and then gets both at once. The
            // report came first, and must not count.
            try await bench.installScript(
                """
                exec python3 -c '
                import os, signal
                parent = os.getppid()
                def fact(name):
                    with open(f"/proc/{parent}/status") as status:
                        return next(line.split()[1] for line in status if line.startswith(name + ":"))
                os.kill(parent, signal.SIGSTOP)
                while fact("State") != "T":
                    pass
                if os.fork() == 0:
                    while not int(fact("ShdPnd"), 16) >> signal.SIGCHLD - 1 & 1:
                        pass
                    os.kill(parent, signal.SIGCONT)
                    os._exit(0)
                os.write(int(os.environ["TAPLINE_HANDOVER"].split()[1]) - 1, b"ready\\n")
                os._exit(3)'
                """)
            try lineage.send(SIGUSR2)
            try await lineage.errors.line(containing: "continues: it exited with status 3 before it was ready")
            try await expectUnharmed(bench, lineage)
            try await bench.installBinary()
            try await lineage.upgrade()
            try await expectUnharmed(bench, lineage)
        }
    }

    /// A process that is asked for an upgrade before it has taken over completely.
    @Test(.needs("python3")) func upgrade_ofAProcessThatHasNotTakenOver_isRefused() async throws {
        try await play { bench, lineage in
            let old = lineage.current
            try await bench.installScript("kill -STOP $PPID; exec \(TaplineProcess.binary) \"$@\"")
            try lineage.send(SIGUSR2)
            // Both of its relays listen: it is ready, and the old process does not notice.
            _ = try await lineage.errors.first(4) { $0.contains(" listens on ") }
            let started = try #require(try children(of: old).first)
            // Once: a second signal after it has taken over would start another upgrade.
            #expect(kill(started, SIGUSR2) == 0)
            try await lineage.errors.line(containing: "the last upgrade is not complete yet")
            kill(old, SIGCONT)
            try await lineage.errors.line(containing: "process \(started) took over from process \(old)")
            try await bench.converse(bench.first)
        }
    }

    private func children(of pid: pid_t) throws -> [pid_t] {
        try String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8).split(separator: " ")
            .compactMap { pid_t($0) }
    }

    /// The signal is for a process that runs; one that is starting must not be ended by it.
    @Test(.needs("python3", "mkfifo")) func signalForAnUpgrade_whileItStarts_isPassedOver() async throws {
        try await reloadScene { bench in
            let fifo = bench.scene.path("fifo")
            try await bench.scene.run("mkfifo", fifo)
            let program = try bench.scene.start([TaplineProcess.binary, "run", "--config", fifo])
            let pid = try await program.pid()
            // A FIFO can be opened for writing once it is being read, and its reader reads to the end of the stream.
            let writer = try bench.scene.start(["sh", "-c", "exec 3>$0; echo opened; cat >&3", fifo])
            try await writer.output.line(containing: "opened")
            _ = kill(pid, SIGUSR2)
            writer.write(bench.start)
            writer.finishInput()
            try await program.errors.line(containing: "web listens on \(bench.first)")
            try await bench.converse(bench.first)
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
            try await program.errors.line(containing: "upgrade refused: two processes cannot write to the one file")
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
            let said = try await program.errors.line(containing: "upgrade refused: this is process 1 of its container")
            #expect(said.contains("start a container with the new version instead"))
            try await bench.converse(bench.first)
        }
    }
}
