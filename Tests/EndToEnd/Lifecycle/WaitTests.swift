import Foundation
import TestSupport
import Testing

/// `--wait`, `timeouts.wait`, `--once` and `--exit-idle`.
struct WaitTests {
    @Test(.needs("python3")) func client_isHeldUntilTheUpstreamStarts_andTheBytesAreRight() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = "127.0.0.1:\(try scene.freePort())"
            let tapline = try await scene.forward("127.0.0.1:0:\(upstream)", options: ["--wait", "10m"])
            try await puppet.connect("client", to: tapline.address)
            let hash = try await puppet.send("client", count: 100_000)
            let line = try await tapline.program.errors.line(containing: "is not up")
            #expect(line.contains("\(upstream) is not up (connect_refused); clients are held for up to 10m"))

            _ = try await puppet.listen("upstream", upstream)
            try await puppet.accept("server", from: "upstream")
            #expect(try await puppet.receive("server", count: 100_000).sha256 == hash)
            try await puppet.send("server", "late")
            try await puppet.close("server")
            #expect(try await puppet.receiveToEnd("client").text == "late")
            try await puppet.close("client")
            let record = try await tapline.records()[0]
            #expect(record.reason == "upstream_closed" && record.bytesUp == 100_000 && record.bytesDown == 4)
            #expect(record.upstreamAddress == upstream && record.attempts > 1)
            let held = try #require(record.heldMs)
            // The hold is part of the connect. Its beginning is the time of the loop's turn, which may have begun earlier.
            #expect(try #require(record.connectMs) + 100 >= held, "\(held)")
        }
    }

    @Test(.needs("python3")) func wait_thatIsOver_endsAsTheLastAttempt() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try PeerListener.refusingAddress())", options: ["--wait", "300ms"])
            try await puppet.connect("client", to: tapline.address)
            #expect(try await puppet.receiveToEnd("client").end == "reset")
            let record = try await tapline.records()[0]
            #expect(record.reason == "connect_refused" && record.errno == "ECONNREFUSED")
            #expect(record.durationMs >= 300 && record.connectMs == nil)
            #expect(record.heldMs ?? 0 >= 300 && record.attempts > 1)
        }
    }

    /// `why`, the API and a reload, with the setting of a configuration.
    @Test(.needs("curl", "python3")) func heldClient_isExplained_andTheSettingReloads() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try PeerListener.refusingAddress()
            let tapline = try await scene.run(
                relays: "  - { name: web, listen: '127.0.0.1:0', upstream: '\(upstream)', timeouts: { wait: 10m } }",
                more: "admin: { listen: 'unix:\(scene.path("admin"))' }")
            try await puppet.connect("client", to: tapline.address)
            try await tapline.program.errors.line(containing: "is not up")
            let story = try await scene.run(
                TaplineProcess.binary, "why", "1", "--admin", "unix:\(scene.path("admin"))")
            let words = story.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(words.contains("(timeouts.wait) for \(upstream) to come up."))
            #expect(words.contains("of at most 10 min 0 s (timeouts.wait)"))
            #expect(words.contains("failed; the last: connection refused (ECONNREFUSED)."))
            let list = try await scene.run(
                TaplineProcess.binary, "connections", "--admin", "unix:\(scene.path("admin"))")
            #expect(list.contains("upstream up"))
            let metrics = try await scene.run(
                "curl", "-sS", "--unix-socket", scene.path("admin"), "http://localhost/metrics")
            #expect(metrics.contains("\ntapline_clients_held 1\n"))

            let text = try String(contentsOfFile: scene.path("tapline.yaml"), encoding: .utf8)
            _ = try scene.file("tapline.yaml", text.replacingOccurrences(of: "wait: 10m", with: "wait: 5m"))
            try await tapline.program.send(SIGHUP)
            try await tapline.program.errors.line(containing: "timeouts.wait 10m → 5m")
        }
    }

    /// A typing error in `upstream`, corrected while a client is held: the client is served, and its story says so.
    @Test(.needs("python3")) func heldClient_isServedByTheUpstreamOfAReload() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let wrong = "\(try PeerListener.refusingAddress())"
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.run(
                relays: "  - { name: web, listen: '127.0.0.1:0', upstream: '\(wrong)', timeouts: { wait: 10m } }",
                more: "admin: { listen: 'unix:\(scene.path("admin"))' }")
            try await puppet.connect("client", to: tapline.address)
            try await puppet.send("client", "question")
            try await tapline.program.errors.line(containing: "is not up")
            let text = try String(contentsOfFile: scene.path("tapline.yaml"), encoding: .utf8)
            _ = try scene.file("tapline.yaml", text.replacingOccurrences(of: wrong, with: upstream))
            try await tapline.program.send(SIGHUP)
            try await puppet.accept("server", from: "upstream")
            #expect(try await puppet.receive("server", count: 8).text == "question")
            try await puppet.close("server")
            #expect(try await puppet.receiveToEnd("client").end == "fin")
            try await puppet.close("client")
            let record = try await tapline.records()[0]
            #expect(record.upstream == upstream && record.generation == 1 && record.reason == "upstream_closed")
            #expect(record.heldMs != nil && record.attempts > 1)
            let story = try await scene.run(
                TaplineProcess.binary, "why", "1", "--admin", "unix:\(scene.path("admin"))")
            let words = story.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(words.contains("until \(upstream) was up (timeouts.wait)."), "\(story)")
            #expect(words.contains("failed; the last: connection refused (ECONNREFUSED)."), "\(story)")
        }
    }

    // MARK: Once

    @Test(.needs("python3")) func once_exitsWith0_whenBothSidesClosed() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await puppet.listen("upstream"))", options: ["--once"])
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            // Nothing listens while the connection is open.
            try await puppet.awaitRefusal(tapline.address)
            try await puppet.send("client", "question")
            try await puppet.receive("server", count: 8)
            try await puppet.close("server")
            #expect(try await puppet.receiveToEnd("client").end == "fin")
            try await puppet.close("client")
            #expect(try await tapline.program.exit() == .exited(0))
            #expect(try tapline.recordsSoFar.map(\.reason) == ["upstream_closed"])
        }
    }

    @Test(.needs("python3")) func once_exitsWith1_whenTheConnectionFailed() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try PeerListener.refusingAddress())", options: ["--once"])
            try await puppet.connect("client", to: tapline.address)
            #expect(try await tapline.program.exit() == .exited(1))
            #expect(try tapline.recordsSoFar.map(\.reason) == ["connect_refused"])
            #expect(tapline.program.errors.all.last == "tapline: the only connection failed (connect_refused)")
        }
    }

    @Test(.needs("python3")) func once_thatIsInterruptedBeforeAClientCame_exitsWith0() async throws {
        try await scene { scene in
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try PeerListener.refusingAddress())", options: ["--once"])
            #expect(try await tapline.stop().isEmpty)
        }
    }

    // MARK: Idle

    @Test(.needs("python3")) func exitIdle_countsFromTheStart_andFromTheLastEnd() async throws {
        try await scene { scene in
            let unused = try await scene.forward(
                "127.0.0.1:0:\(try PeerListener.refusingAddress())", options: ["--exit-idle", "200ms"])
            #expect(try await unused.program.exit() == .exited(0))
            #expect(unused.program.errors.all.contains { $0.contains("no connection for 200ms; exiting") })
        }
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await puppet.listen("upstream"))", options: ["--exit-idle", "15s"])
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            try await puppet.close("client")
            try await puppet.close("server")
            let record = try await tapline.records()[0]
            #expect(try await tapline.program.exit() == .exited(0))
            #expect(record.reason == "client_closed")
        }
    }
}
