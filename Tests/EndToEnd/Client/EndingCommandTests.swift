import Foundation
import TestSupport
import Testing

/// The commands that wait for a Tapline's start and cause its end: the probes and hooks of an image without a shell.
@Suite(.needs("python3", "curl"))
struct EndingCommandTests {
    // MARK: Ready

    @Test func waitReady_waitsForATaplineThatIsStartedLater() async throws {
        try await scene { scene in
            let socket = "unix:\(scene.path("admin.sock"))"
            let waiting = try scene.start([TaplineProcess.binary, "wait-ready", "--admin", socket, "--timeout", "2m"])
            let early = try scene.start([
                TaplineProcess.binary, "wait-ready", "--admin", socket, "--timeout", "0",
            ])
            #expect(try await early.exit() == .exited(1))
            #expect(early.errors.all.first == "tapline: not ready")
            #expect(early.errors.all.contains { $0.contains("nothing listens at \(socket)") })
            let tapline = try await scene.run(
                relays: "  - { name: web, listen: 127.0.0.1:0, upstream: 127.0.0.1:1 }",
                more: "admin: { listen: '\(socket)' }")
            #expect(try await waiting.exit() == .exited(0))
            #expect(waiting.output.all == ["ready, 1 listener"])
            try await tapline.stop()
        }
    }

    @Test func waitReady_endsWith1_whenTheTimeIsOver_orNothingCanCome() async throws {
        try await CommandBench.play(more: "shutdown: { drain: 10m }") { bench in
            _ = try await bench.command("drain")
            // A busy machine may not answer in so short a time; then the command is repeated.
            try await bench.scene.eventually("an answer that came in time") {
                let draining = try await bench.command("wait-ready", "--timeout", "300ms")
                #expect(draining.ending == .exited(1) && draining.output.isEmpty)
                #expect(draining.errors.first == "tapline: not ready within 300ms")
                let reason = draining.errors.last ?? ""
                #expect(reason.contains("is draining") || reason.contains("no answer in time"), "\(draining)")
                return reason.contains("is draining")
            }
            // A server answers there, but not in HTTP, and that will not change. It sends at once, because each request
            // has a timeout.
            let script = """
                import socket
                listener, clients = socket.create_server(("127.0.0.1", 0)), []
                print(listener.getsockname()[1], flush=True)
                while True:
                    clients.append(listener.accept()[0])
                    clients[-1].sendall(b"220 mail ready\\r\\n")
                """
            let alien = try bench.scene.start(["python3", "-c", script])
            let port = try await alien.output.first { _ in true }[0]
            let program = try bench.scene.start([TaplineProcess.binary, "wait-ready", "--admin", "127.0.0.1:\(port)"])
            #expect(try await program.exit() == .exited(1))
            #expect(program.errors.all.first?.contains("does not speak HTTP") == true)
        }
    }

    @Test func waitReady_isBounded_whenThereIsNoAnswer() async throws {
        try await CommandBench.play { bench in
            // Accepted by the kernel only.
            let silent = try await bench.puppet.listen("silent")
            let program = try bench.scene.start([
                TaplineProcess.binary, "wait-ready", "--admin", silent, "--timeout", "500ms",
            ])
            #expect(try await program.exit() == .exited(1))
            #expect(program.errors.all.first == "tapline: not ready within 500ms")
            #expect(program.errors.all.last?.contains("no answer in time from \(silent)") == true)
        }
    }

    // MARK: Drain

    @Test func drain_waitsNoLongerThanItsTimeout() async throws {
        try await CommandBench.play { bench in
            let drained = try await bench.command("drain", "--wait", "--timeout", "300ms")
            #expect(drained.ending == .exited(1))
            #expect(
                drained.errors == [
                    "tapline: still stopping after 300ms, 1 connection left; Tapline continues to stop"
                ])
            try await bench.puppet.send("client", "question")
            try await bench.puppet.receive("server", count: 8)
            try await bench.puppet.close("client")
            try await bench.puppet.close("server")
            #expect(try await bench.tapline.program.exit() == .exited(0))
        }
    }

    /// Another Tapline in its place has the same address, and may have the same process ID.
    @Test func drain_knowsAnotherTaplineInItsPlace() async throws {
        try await scene { scene in
            let socket = "unix:\(scene.path("admin.sock"))"
            let more = "admin: { listen: '\(socket)' }\nshutdown: { drain: 1h }"
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let relays = "  - { name: web, listen: 127.0.0.1:0, upstream: '\(upstream)' }"
            let first = try await scene.run(relays: relays, more: more)
            try await puppet.connect("client", to: first.address)
            try await puppet.accept("server", from: "upstream")
            let waiting = try scene.start([TaplineProcess.binary, "drain", "--wait", "--admin", socket])
            try await waiting.output.line(containing: "draining")
            // Stopped while its end passes, like a process that waits for CPU time.
            try await waiting.stopRunning()
            try await first.program.send(SIGTERM)
            try await first.program.exit()
            let second = try await scene.run(relays: relays, more: more)
            try await waiting.goOn()
            #expect(try await waiting.exit() == .exited(0))
            #expect(waiting.output.all.last == "Tapline has stopped")
            try await second.stop()
        }
    }

    // MARK: Shutdown

    @Test func shutdown_endsInOrder_andASecondTimeAtOnce() async throws {
        try await CommandBench.play { bench in
            let first = try await bench.command("shutdown")
            #expect(first.ending == .exited(0))
            #expect(
                first.output == [
                    "stopping: no more clients are accepted; 1 connection may finish within 25.0 s"
                ])
            try await bench.puppet.awaitRefusal(bench.tapline.address)
            // Open connections continue.
            try await bench.puppet.send("client", "question")
            try await bench.puppet.receive("server", count: 8)
            let second = try await bench.command("shutdown", "--wait")
            #expect(second.ending == .exited(0))
            // Between the two it may have been seen with nothing left.
            #expect(second.output.first == "stopping now: open connections are reset, 1 connection")
            #expect(second.output.last == "Tapline has stopped")
            #expect(try await bench.puppet.receiveToEnd("client").end == "reset")
            #expect(try await bench.tapline.program.exit() == .exited(0))
            #expect(try bench.tapline.recordsSoFar.map(\.reason) == ["drained"])
        }
    }

    /// Nothing is open, so the answer has to be sent before the process ends.
    @Test func shutdown_isAnswered_whenTheEndFollowsAtOnce() async throws {
        for command in ["shutdown", "drain", "shutdown", "drain"] {
            try await scene { scene in
                let tapline = try await scene.run(
                    relays: "  - { name: web, listen: 127.0.0.1:0, upstream: 127.0.0.1:1 }",
                    more: "admin: { listen: 127.0.0.1:0 }")
                let admin = try await scene.admin(of: tapline).address
                let program = try scene.start(
                    [TaplineProcess.binary, command, "--wait", "--json"], variables: ["TAPLINE_ADMIN": admin])
                #expect(try await program.exit() == .exited(0))
                let answers = try program.output.all.map {
                    try JSONDecoder().decode([String: JSON].self, from: Data($0.utf8))
                }
                #expect(answers.count == 1 && answers[0]["open_connections"]?.number == 0)
                #expect(answers[0]["within_ms"]?.number == 25_000)
                #expect(try await tapline.program.exit() == .exited(0))
            }
        }
    }

    @Test func shutdown_isNoForeignPages_andOnlyByPost() async throws {
        try await CommandBench.play { bench in
            let admin = try await bench.scene.admin(of: bench.tapline)
            let foreign = "Origin: http://evil.example"
            #expect(try await admin.ask("POST", "/v1/shutdown", headers: [foreign]).code == "foreign_origin")
            #expect(try await admin.ask("GET", "/v1/shutdown").status == 405)
            // None of these requests has ended it.
            #expect(try await admin.ask("/readyz").status == 200)
            for isNow in [false, true] {
                let answer = try await admin.ask("POST", "/v1/shutdown")
                #expect(try answer.status == 202 && answer.json["now"] == .flag(isNow))
            }
            #expect(try await bench.tapline.program.exit() == .exited(0))
        }
    }

    @Test(arguments: [
        ["drain", "--timeout", "1s"], ["shutdown", "--timeout", "1s"], ["wait-ready", "--timeout", "5"],
        ["shutdown", "now"],
    ])
    func wrongUsage_endsWith64(words: [String]) async throws {
        try await scene { scene in
            let program = try scene.start([TaplineProcess.binary] + words)
            #expect(try await program.exit() == .exited(64))
            #expect(program.output.all.isEmpty && !program.errors.all.isEmpty)
        }
    }
}
