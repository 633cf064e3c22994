import Foundation
import Testing

/// How Tapline stops, and restarts.
struct SignalTests {
    /// A conversation in progress: the client has sent its request, the upstream has not answered.
    private func begin(_ puppet: Puppet, through address: String) async throws {
        try await puppet.connect("client", to: address)
        try await puppet.accept("server", from: "upstream")
        try await puppet.send("client", "question")
        try await puppet.receive("server", count: 8)
    }

    @Test(.needs("python3"), arguments: [SIGTERM, SIGINT])
    func signal_whileATransferIsOpen_letsItFinish(signal: CInt) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.run(
                relays: "  - { name: web, listen: '127.0.0.1:0', upstream: '\(upstream)' }")
            try await begin(puppet, through: tapline.address)
            try await tapline.program.send(signal)
            let said = try await tapline.program.errors.line(containing: "1 open, waiting")
            #expect(said.contains("1 open, waiting up to 25s; a second signal stops now"))
            // It no longer listens, but open connections continue.
            try await puppet.awaitRefusal(tapline.address)
            let hash = try await puppet.send("server", count: 100_000)
            try await puppet.finish("server")
            let answer = try await puppet.receiveToEnd("client")
            #expect(answer.sha256 == hash && answer.end == "fin")
            try await puppet.close("client")
            #expect(try await tapline.program.exit() == .exited(0))
            let records = try tapline.recordsSoFar
            // It has ended by itself, and keeps its own reason.
            #expect(records.count == 1 && records[0].reason == "upstream_closed" && records[0].bytesDown == 100_000)
            let last = try #require(tapline.program.errors.all.last)
            #expect(last.contains("\"level\":\"notice\",\"message\":\"stopped\",\"reset\":0"), "\(last)")
        }
    }

    @Test(.needs("python3")) func drain_thatTakesTooLong_resetsWhatIsLeft() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.run(
                relays: "  - { name: web, listen: '127.0.0.1:0', upstream: '\(upstream)' }",
                more: "shutdown: { drain: 500ms }")
            try await begin(puppet, through: tapline.address)
            try await tapline.program.send(SIGTERM)
            #expect(try await puppet.receiveToEnd("client").end == "reset")
            #expect(try await puppet.receiveToEnd("server").end == "reset")
            #expect(try await tapline.program.exit() == .exited(0))
            let record = try await tapline.records()[0]
            #expect(record.reason == "drained" && record.closedBy == "tapline" && record.bytesUp == 8)
            #expect(record.durationMs >= 500)
            let last = try #require(tapline.program.errors.all.last)
            #expect(last.contains("\"message\":\"stopped; 1 connection still open was reset\",\"reset\":1"), "\(last)")
        }
    }

    @Test(.needs("python3")) func secondSignal_endsAtOnce() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.run(
                relays: "  - { name: web, listen: '127.0.0.1:0', upstream: '\(upstream)' }",
                more: "shutdown: { drain: 10m }")
            try await begin(puppet, through: tapline.address)
            try await tapline.program.send(SIGTERM)
            try await tapline.program.errors.line(containing: "1 open, waiting up to 10m")
            try await tapline.program.send(SIGTERM)
            try await tapline.program.errors.line(containing: "stopping now")
            #expect(try await puppet.receiveToEnd("client").end == "reset")
            #expect(try await tapline.program.exit() == .exited(0))
            #expect(try await tapline.records()[0].reason == "drained")
        }
    }

    @Test(.needs("python3")) func forward_asksForASecondCtrlC() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let program = try scene.start([TaplineProcess.binary, "forward", "127.0.0.1:0:\(upstream)"])
            let announced = try await program.errors.line(containing: "listens on")
            let address = try #require(announced.firstMatch(of: /listens on (\S+),/))
            try await begin(puppet, through: String(address.1))
            try await program.send(SIGINT)
            try await program.errors.line(containing: "tapline: 1 open, waiting; press Ctrl-C again to stop now")
            // It ends by itself after two seconds.
            #expect(try await program.exit() == .exited(0))
            #expect(program.output.all.contains { $0.contains(" closed_by=tapline reason=drained ") })
        }
    }

    @Test(.needs("python3")) func killedRelay_startedAgainAtOnce_binds() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let front = scene.path("front.sock")
            let first = try await scene.forward("127.0.0.1:0:\(upstream)", "unix:\(front)=\(upstream)")
            try await begin(puppet, through: first.address)
            try await first.program.send(SIGKILL)
            #expect(try await first.program.exit() == .signalled(SIGKILL))
            #expect(FileManager.default.fileExists(atPath: front))

            // The same port, which connections of the killed process may still use, and the file that it left.
            let second = try await scene.forward("\(first.address):\(upstream)", "unix:\(front)=\(upstream)")
            #expect(second.listeners == first.listeners)
            for address in second.listeners {
                try await begin(puppet, through: address)
                try await puppet.close("client")
            }
            try await second.stop()
            #expect(!FileManager.default.fileExists(atPath: front))
        }
    }

    @Test(.needs("python3")) func socketFile_thatAnswers_isRefused_andOtherFilesToo() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let live = try await puppet.listen("live", "unix:\(scene.path("live.sock"))")
            let second = try scene.start([TaplineProcess.binary, "forward", "\(live)=127.0.0.1:9"])
            #expect(try await second.exit() == .exited(71))
            #expect(second.errors.all.joined().contains("another process listens on this socket"))
            // It is still there, and still answers.
            try await puppet.connect("client", to: live)

            let file = try scene.file("notes.txt", "not a socket")
            let third = try scene.start([TaplineProcess.binary, "forward", "unix:\(file)=127.0.0.1:9"])
            #expect(try await third.exit() == .exited(71))
            #expect(third.errors.all.joined().contains("EEXIST"))
            #expect(try String(contentsOfFile: file, encoding: .utf8) == "not a socket")
        }
    }

    @Test func socketFile_hasItsMode_andIsRemovedAtTheEnd() async throws {
        try await scene { scene in
            let (plain, open) = (scene.path("plain.sock"), scene.path("open.sock"))
            let tapline = try await scene.run(
                relays: """
                      - { name: plain, listen: 'unix:\(plain)', upstream: '127.0.0.1:9' }
                      - { name: open, listen: 'unix:\(open)', mode: "0666", upstream: '127.0.0.1:9' }
                    """,
                listeners: 2, before: ["sh", "-c", #"umask 077; exec "$0" "$@""#])
            let mode = { path in
                try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            }
            #expect(try mode(plain) == 0o660)
            #expect(try mode(open) == 0o666)
            try await tapline.stop()
            #expect(!FileManager.default.fileExists(atPath: plain))
            #expect(!FileManager.default.fileExists(atPath: open))
        }
    }

    /// A relay that streams in both directions has only the descriptors that it needs, all of them closed on exec.
    @Test(.needs("python3")) func descriptors_areFewAndClosedOnExec() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(upstream)", "unix:\(scene.path("front.sock"))=\(upstream)", options: ["--workers", "2"])
            _ = try await tapline.steadyFooting(in: scene)
            let idle = try ProcessFacts.descriptors(of: tapline.pid)
            try await begin(puppet, through: tapline.address)
            // Both sockets, and a pipe that fills while the client sleeps, once bytes arrive in large pieces, which a
            // loaded machine may not achieve at the first attempt.
            var busy: [String] = []
            try await scene.eventually("a flow streams", within: .seconds(60)) {
                let sent = try await puppet.fill("server", quiet: 0.3)
                busy = try ProcessFacts.descriptors(of: tapline.pid)
                if busy.count == idle.count + 4 { return true }
                #expect(busy.count == idle.count + 2, "\(busy)")
                #expect(try await puppet.receive("client", count: sent.count).sha256 == sent.sha256)
                return false
            }

            for fd in busy {
                let kind = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(tapline.pid)/fd/\(fd)")
                let expected = [
                    "socket:", "pipe:", "anon_inode:[eventpoll]", "anon_inode:[eventfd]", "/dev/null",
                    "anon_inode:[io_uring]",
                ]
                #expect(expected.contains { kind.hasPrefix($0) }, "descriptor \(fd) is \(kind)")
                if (Int(fd) ?? 0) <= 2 { continue }
                let facts = try String(contentsOfFile: "/proc/\(tapline.pid)/fdinfo/\(fd)", encoding: .utf8)
                let flags = try #require(facts.firstMatch(of: /flags:\s*([0-7]+)/).flatMap { Int($0.1, radix: 8) })
                #expect(flags & Int(O_CLOEXEC) != 0, "descriptor \(fd), \(kind), would be inherited")
            }
            try await puppet.reset("client")
            try await puppet.close("server")
            _ = try await tapline.records()
        }
    }
}
