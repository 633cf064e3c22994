import Foundation
import TestSupport
import Testing

/// Differences in a container: no /proc, a file mounted alone, being process 1.
@Suite(.needs("python3", "curl", "unshare", "mount"), .needsNetworkNamespace)
struct ContainerTests {
    // MARK: No /proc

    private static let withoutProc = ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /proc && exec \"$0\" \"$@\""]

    @Test func commandLine_isRead_withoutProc() async throws {
        try await scene { scene in
            for (words, status) in [
                (["run", "--config", "/does/not/exist"], 78), (["check", "/does/not/exist"], 78),
                (["no-such-command"], 64),
                (["forward"], 64), (["--version"], 0), (["status", "--admin", "127.0.0.1:1"], 71),
            ] {
                let program = try scene.start(Self.withoutProc + [TaplineProcess.binary] + words)
                let ending = try await program.exit()
                #expect(ending == .exited(CInt(status)), "\(words): \(program.output.all) \(program.errors.all)")
                #expect(!program.output.all.contains { $0.contains("SUBCOMMANDS") }, "\(words)")
            }
        }
    }

    @Test func relay_withoutProc_relays_andLeavesOutWhatItDoesNotKnow() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(upstream)", options: ["--admin", "127.0.0.1:0"], before: Self.withoutProc)
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            try await puppet.send("client", "hello")
            try await puppet.receive("server", count: 5)
            let admin = try await scene.admin(of: tapline)
            let metrics = try await admin.ask("/metrics").body
            func value(_ name: String) -> Double? {
                metrics.split(separator: "\n").first { $0.hasPrefix(name + " ") }
                    .flatMap { Double($0.dropFirst(name.count + 1)) }
            }
            // At least the three standard ones, two sockets of the connection, and the loops' own.
            #expect(try #require(value("process_open_fds")) > 10)
            #expect(try #require(value("process_cpu_seconds_total")) > 0)
            #expect(value("process_resident_memory_bytes") == nil && value("process_threads") == nil)
            // Validated against its document, too.
            let status = try await admin.ask("/v1/status").json
            #expect(status["threads"] == .null && status["memory"]?["resident_bytes"] == .null)
            let report = try await scene.run(TaplineProcess.binary, "status", "--admin", admin.address)
            #expect(report.contains("- resident, - of it private"), "\(report)")
            try await tapline.program.send(SIGUSR2)
            _ = try await tapline.program.errors.line(
                containing: "the path of this program could not be determined at startup (/proc)")
            try await puppet.close("client")
            #expect(try await tapline.stop().count == 1)
        }
    }

    // MARK: A file mounted alone

    @Test(arguments: [false, true])
    func aFileThatIsMountedAlone_isReloaded(_ isIncluded: Bool) async throws {
        try await reloadScene { bench in
            let mounted = isIncluded ? "\(bench.folder)/conf.d/a.yaml" : bench.path
            let outside = bench.scene.path("outside.yaml")
            let relays = bench.text([("web", bench.first)], log: "").split(separator: "\n").dropFirst()
                .joined(separator: "\n")
            if isIncluded {
                try Files.makeDirectory("\(bench.folder)/conf.d")
                try Files.write("log: { format: json }\ninclude: conf.d\n", to: bench.path)
            }
            try Files.write(isIncluded ? relays + "\n" : bench.start, to: outside)
            try Files.write("", to: mounted)
            let script = "mount --bind \(outside) \(mounted) && exec \"$0\" \"$@\""
            let tapline = try await bench.run(before: ["unshare", "-m", "sh", "-c", script])
            for (generation, address) in [(2, bench.second), (3, bench.first)] {
                let text = isIncluded ? relays.replacingOccurrences(of: bench.first, with: address) + "\n" : nil
                try Files.write(text ?? bench.text([("web", address)]), to: outside)
                try await bench.reloaded(tapline, generation)
                try await bench.converse(address)
            }
            try await tapline.stop()
        }
    }

    // MARK: Process 1

    /// Children of the shell before it, and later orphans.
    @Test(arguments: ["-pf", ""])
    func everyProcessThatBecomesItsChild_isReaped(_ namespace: String) async throws {
        try await scene { scene in
            let fifo = scene.path("fifo")
            try await scene.run("mkfifo", fifo)
            let script = """
                for i in 1 2 3; do
                    (cat "$FIFO" >/dev/null & exec cat "$FIFO" >/dev/null) &
                done
                exec "$0" "$@"
                """
            let words = namespace.isEmpty ? [] : ["unshare", namespace, "--mount-proc"]
            let program = try scene.start(
                words + ["sh", "-c", script, TaplineProcess.binary, "forward", "127.0.0.1:0:127.0.0.1:1"],
                variables: ["FIFO": fifo])
            try await program.errors.line(containing: "listens on")
            let started = try await program.pid()
            let tapline = namespace.isEmpty ? started : try #require(Self.children(of: started).first)
            try await scene.eventually("it is process 1 with its children") { Self.children(of: tapline).count >= 3 }
            // The end of a writer ends all readers, in any order; some of them are orphans by then.
            try await scene.eventually("no child is left, and no zombie") {
                let writer = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
                if writer >= 0 { close(writer) }
                return Self.children(of: tapline).isEmpty
            }
            try #require(kill(tapline, SIGTERM) == 0)
            #expect(try await program.exit() == .exited(0))
        }
    }

    /// Its children, including zombies.
    private static func children(of parent: pid_t) -> [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { pid in
            guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
                let name = stat.lastIndex(of: ")")
            else { return false }
            return stat[name...].split(separator: " ").dropFirst(2).first.flatMap { pid_t($0) } == parent
        }
    }
}
