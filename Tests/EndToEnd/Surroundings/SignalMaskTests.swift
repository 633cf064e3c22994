import Foundation
import TestSupport
import Testing

/// Started by a parent whose thread blocks signals: a program inherits the mask (execve(2)).
@Suite(.needs("python3"))
struct SignalMaskTests {
    /// The words that start a program with every signal blocked.
    static let blocked = [
        Programs.path("python3") ?? "python3", "-c",
        """
        import os, signal, sys
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        os.execvp(sys.argv[1], sys.argv[1:])
        """,
    ]

    /// The words that start a program with signals ignored.
    private func ignoring(_ signals: String) -> [String] { ["sh", "-c", "trap '' \(signals); exec \"$0\" \"$@\""] }

    @Test(arguments: [SIGTERM, SIGINT, SIGHUP])
    func forward_endsInOrder(_ signal: CInt) async throws {
        try await scene { scene in
            let tapline = try await scene.forward("127.0.0.1:0:127.0.0.1:1", before: Self.blocked)
            try await tapline.program.send(signal)
            #expect(try await tapline.program.exit() == .exited(0))
        }
    }

    @Test func run_reloads_upgrades_andEndsInOrder() async throws {
        try await reloadScene { bench in
            try Files.write(bench.start, to: bench.path)
            try await bench.lineage(before: Self.blocked) { lineage in
                // A setting that needs a restart, so the signal is logged also if the watch saw the change first.
                try Files.replace(
                    bench.path,
                    with: bench.text([("web", bench.first), ("cache", bench.second)], more: "workers: 3"))
                try lineage.send(SIGHUP)
                _ = try await lineage.errors.line(containing: "\"source\":\"SIGHUP\"")
                // The process that takes over is started by one whose mask is empty by then; it clears its own mask
                // anyway.
                try await lineage.upgrade()
                try await bench.converse(bench.first)
                try lineage.send(SIGTERM)
                #expect(try await lineage.finish(bench.scene) == "status 0")
            }
        }
    }

    @Test func tail_andDemo_end() async throws {
        try await scene { scene in
            let tapline = try await scene.forward(
                "127.0.0.1:0:127.0.0.1:1", options: ["--admin", "127.0.0.1:0"])
            let admin = try await scene.admin(of: tapline)
            let tail = try scene.start(
                Self.blocked + [TaplineProcess.binary, "tail", "--admin", admin.address])
            let pid = try await tail.pid()
            try await scene.eventually("tail follows") { Self.isWaiting(pid) }
            try await tail.send(SIGTERM)
            #expect(try await tail.exit() == .exited(0))
            let demo = try scene.start(Self.blocked + [TaplineProcess.binary, "demo"])
            _ = try await demo.output.first(1) { !$0.isEmpty }
            try await demo.send(SIGINT)
            #expect(try await demo.exit() == .exited(0))
        }
    }

    /// Whether the program is Tapline and no longer the one before it, and catches SIGTERM (proc_pid_status(5)).
    private static func isWaiting(_ pid: pid_t) -> Bool {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return false }
        let caught = status.firstMatch(of: /SigCgt:\s*([0-9a-f]+)/).flatMap { UInt64($0.1, radix: 16) } ?? 0
        return status.hasPrefix("Name:\ttapline") && caught & (1 << UInt64(SIGTERM - 1)) != 0
    }

    /// nohup(1) ignores SIGHUP, and the relay survives its terminal. Signals that a shell ignores for a background job
    /// still end it with `kill`.
    @Test func ignoredSignals_staySo_forTheTerminalsEndOnly() async throws {
        try await scene { scene in
            let tapline = try await scene.forward("127.0.0.1:0:127.0.0.1:1", before: ignoring("HUP INT TERM USR2 CHLD"))
            let status = try String(contentsOfFile: "/proc/\(tapline.pid)/status", encoding: .utf8)
            func signals(_ name: String) throws -> UInt64 {
                let line = try #require(status.split(separator: "\n").first { $0.hasPrefix(name) })
                return try #require(
                    UInt64(line.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces), radix: 16))
            }
            let (ignored, caught) = (try signals("SigIgn"), try signals("SigCgt"))
            for signal in [SIGHUP, SIGCHLD] { #expect(ignored & (1 << UInt64(signal - 1)) != 0, "\(signal)") }
            for signal in [SIGINT, SIGTERM, SIGUSR2] { #expect(caught & (1 << UInt64(signal - 1)) != 0, "\(signal)") }
            try await tapline.program.send(SIGHUP)
            try await tapline.program.send(SIGINT)
            #expect(try await tapline.program.exit() == .exited(0))
        }
    }
}
