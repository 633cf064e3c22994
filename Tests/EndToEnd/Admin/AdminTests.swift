import Foundation
import Testing

/// Every endpoint of the admin API, requested with curl and validated against its document.
struct AdminTests {
    private static let options = ["--admin", "127.0.0.1:0"]

    @Test(.needs("python3", "curl")) func processAndRelays_areShown() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.forward("127.0.0.1:0:\(upstream)", options: Self.options)
            let admin = try await scene.admin(of: tapline)
            try await admin.awaitHealth()
            #expect(try await admin.ask("/readyz").json["listeners"]?.number == 1)
            let status = try await admin.ask("/v1/status").json
            #expect(status["pid"]?.number == Int(tapline.pid))
            #expect(status["configuration"] == .null && status["generation"]?.number == 1)
            #expect(status["threads"]?.number ?? 0 > 0 && status["open_connections"]?.number == 0)
            let relay = try #require(try await admin.ask("/v1/relays").json["relays"]?.list.first)
            #expect(relay["listeners"]?.list == [.text(tapline.address)])
            #expect(relay["upstream"]?.text == upstream && relay["accepted"]?.number == 0)
            #expect(relay["limits"]?["connect_ms"]?.number == 5000)
            let name = try #require(relay["name"]?.text)
            #expect(try await admin.ask("/v1/relays?relay=\(name)").json["relays"]?.list.count == 1)
            #expect(try await admin.ask("/v1/relays?relay=nosuch").code == "not_found")
            let page = try await admin.ask("/")
            #expect(page.status == 200 && page.body.contains("<title>Tapline</title>"))
            try await tapline.stop()
        }
    }

    @Test(.needs("python3", "curl")) func transfer_isSeenGrowing_andIsWholeAtTheEnd() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await puppet.listen("upstream"))", options: Self.options)
            let admin = try await scene.admin(of: tapline)
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            var sent = 0
            var seen: [Int] = []
            for _ in 0..<3 {
                _ = try await puppet.send("client", count: 700_001)
                sent += 700_001
                try await puppet.receive("server", count: 700_001)
                let total = sent
                try await admin.await("\(total) bytes up", "/v1/connections") { answer -> Bool? in
                    try answer.json["connections"]?.list.first?["bytes_up"]?.number == total ? true : nil
                }
                seen.append(total)
                let metrics = try await admin.await("\(total) in the metrics", "/metrics") { answer in
                    answer.body.contains("direction=\"up\"} \(total)\n") ? answer : nil
                }
                #expect(metrics.status == 200)
            }
            #expect(seen.count == 3)
            let live = try #require(try await admin.ask("/v1/connections?sort=-bytes").json["connections"]?.list.first)
            #expect(live["state"]?.text == "open" && live["bytes_down"]?.number == 0)
            #expect(live["legs"]?["client"]?["tcp"]?["mss"]?.number ?? 0 > 0)
            let id = try #require(live["id"]?.number)
            let waiting = try await admin.await("that the upstream is waited for", "/v1/connections/\(id)") { answer in
                try answer.json["waits"]?["for"]?.text == "upstream_sends" ? answer : nil
            }
            #expect(waiting.body.contains("The upstream is expected to send next."))
            try await puppet.close("client")
            try await puppet.receiveToEnd("server")
            try await puppet.close("server")
            #expect(try await tapline.records(1)[0].bytesUp == sent)
            let ended = try await admin.await("its end", "/v1/closed?reason=client_closed") { answer in
                try answer.json["closed"]?.list.first
            }
            #expect(ended["bytes_up"]?.number == sent && ended["id"]?.number == id)
            let story = try await admin.ask("/v1/connections/\(id)")
            #expect(try story.json["state"]?.text == "closed" && story.json["legs"] == .null)
            #expect(story.body.contains("The client closed first, and the connection shut down cleanly"))
            #expect(try await admin.ask("/v1/closed?since=\(id)").json["total"]?.number == 0)
            try await tapline.stop()
        }
    }

    @Test(.needs("python3", "curl")) func readerThatSleeps_isNamed() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await puppet.listen("upstream"))", options: Self.options)
            let admin = try await scene.admin(of: tapline)
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            var live: [String: JSON] = [:]
            // Filled again until it is full: a relay that gets no CPU time for a while looks full, too.
            try await scene.eventually("the client's reading is waited for") {
                _ = try await puppet.fill("server")
                live = try await admin.ask("/v1/connections/1").json
                return live["waits"]?["for"]?.text == "client_reads"
                    && live["legs"]?["client"]?["held_bytes"]?.number ?? 0 > 0
            }
            #expect(live["legs"]?["client"]?["blocked_ms"]?.number ?? 0 >= 500)
            #expect(live["legs"]?["client"]?["tcp"]?["send_queue"]?.number ?? 0 > 0)
            #expect(live["legs"]?["upstream"]?["blocked_ms"] == .null)
            #expect(live["story"]?.list.contains { $0.text?.hasPrefix("The client is not reading: ") == true } == true)
            try await tapline.stop()
        }
    }

    @Test(.needs("python3", "curl")) func connection_isKilled_andOnlyWhileItIsOpen() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await puppet.listen("upstream"))", options: Self.options)
            let admin = try await scene.admin(of: tapline)
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            #expect(try await admin.ask("DELETE", "/v1/connections/1").json["killed"] == .flag(true))
            #expect(try await puppet.receiveToEnd("client").end == "reset")
            #expect(try await admin.ask("DELETE", "/v1/connections/1").code == "not_found")
            try await admin.await("its story", "/v1/connections/1") { answer in
                answer.body.contains("It was killed through the admin API (`tapline kill 1`)") ? true : nil
            }
            #expect(try await admin.ask("/v1/connections/2").code == "not_found")
            #expect(try await tapline.stop().map(\.reason) == ["killed"])
        }
    }

    @Test(.needs("python3", "curl")) func events_tellOfEveryConnection_andEverySecond() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.run(
                relays: "  - { name: web, listen: 127.0.0.1:0, upstream: \"\(upstream)\" }",
                more: "admin: { listen: 127.0.0.1:0 }\nshutdown: { drain: 10m }")
            let admin = try await scene.admin(of: tapline)
            let events = try scene.start(["curl", "-sN"] + admin.target("/v1/events"))
            try await events.output.line(containing: "event: counters")
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            try await events.output.line(containing: "event: opened")
            try await puppet.close("client")
            try await puppet.receiveToEnd("server")
            try await puppet.close("server")
            try await events.output.line(containing: "event: closed")
            try await events.output.line(containing: "\"reason\":\"client_closed\"")
            try await events.output.line(containing: "\"ended\":{\"client_closed\":1}")
            #expect(try await events.output.first(3) { $0 == "event: counters" }.count == 3)
            // The stream ends with the process, in order. At the very end an event has a tenth of a second to be sent,
            // so a connection is open until this event has arrived.
            try await puppet.connect("last", to: tapline.address)
            try await puppet.accept("last server", from: "upstream")
            try await tapline.program.send(SIGTERM)
            try await events.output.line(containing: "event: draining")
            try await puppet.reset("last")
            #expect(try await tapline.program.exit() == .exited(0))
            try await events.exit()
        }
    }

    @Test(.needs("python3", "curl")) func drain_isAnswered_andNotReadyFromThenOn() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.run(
                relays: "  - { name: web, listen: 127.0.0.1:0, upstream: \"\(upstream)\" }",
                more: "admin: { listen: 127.0.0.1:0 }\nshutdown: { drain: 10m }")
            let admin = try await scene.admin(of: tapline)
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            let answer = try await admin.ask("POST", "/v1/drain")
            #expect(answer.status == 202)
            #expect(try answer.json["within_ms"]?.number == 600_000)
            try await admin.await("that it drains", "/readyz") { $0.code == "draining" ? true : nil }
            // A second request changes nothing: the connection continues.
            #expect(try await admin.ask("POST", "/v1/drain").status == 202)
            #expect(try await admin.ask("POST", "/v1/reload").code == "draining")
            let status = try await admin.ask("/v1/status").json
            #expect(status["draining"] == .flag(true) && status["open_connections"]?.number == 1)
            try await puppet.send("client", "question")
            try await puppet.receive("server", count: 8)
            try await admin.await("8 bytes up", "/metrics") { answer in
                answer.body.contains("tapline_bytes_total{relay=\"web\",direction=\"up\"} 8\n") ? true : nil
            }
            try await puppet.close("client")
            try await puppet.receiveToEnd("server")
            try await puppet.close("server")
            #expect(try await tapline.program.exit() == .exited(0))
            #expect(try tapline.recordsSoFar.map(\.reason) == ["client_closed"])
        }
    }

    @Test(.needs("python3", "curl", "promtool")) func metrics_areGood_byPrometheusOwnCheck() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            try await puppet.close("upstream")
            let tapline = try await scene.forward("127.0.0.1:0:\(upstream)", options: Self.options)
            let admin = try await scene.admin(of: tapline)
            try await puppet.connect("client", to: tapline.address)
            _ = try await puppet.receiveToEnd("client")
            let answer = try await admin.await("the failed connect", "/metrics") { answer in
                answer.body.contains("reason=\"connect_refused\",endpoint=\"\(upstream)\"} 1\n") ? answer : nil
            }
            let file = try scene.file("metrics.txt", answer.body)
            let check = try await scene.run(["sh", "-c", "promtool check metrics < \"$0\" 2>&1", file])
            #expect(check.isEmpty, "\(check)")
            try await tapline.stop()
        }
    }

    /// The rounds are longer than an answer is shared, and fall on every moment between two samples of the history.
    @Test(.needs("python3", "curl")) func countersAfterAnEndRecord_includeIt_wheneverTheHistoryIsSampled() async throws
    {
        try await faultScene { bench in
            for round in 1...25 {
                try await bench.open("\(round)")
                try await bench.puppet.finish("\(round)")
                try await bench.puppet.finish("\(round)'")
                _ = try await bench.records(round)
                let (ended, open) = (
                    try await bench.metric("tapline_connections_ended_total"),
                    try await bench.metric("tapline_connections_open")
                )
                #expect(ended == round + 2 && open == 0)
                try await Task.sleep(for: .milliseconds(130))
            }
        }
    }

    /// The relays are served before the API: here it binds half a second later, while the connection ends.
    @Test(.needs("python3", "curl", "strace")) func connectionThatEndsBeforeTheAPIListens_isKnownToIt() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.run(
                relays: "  - { name: web, listen: 127.0.0.1:0, upstream: '127.0.0.1:\(try scene.freePort())' }",
                more: "admin: { listen: 'unix:\(scene.path("admin.sock"))' }",
                before: ["strace", "-D", "-qq", "-o", "/dev/null", "-e", "inject=bind:delay_enter=500000"])
            try await puppet.connect("client", to: tapline.address)
            let id = try await tapline.records()[0].id
            #expect(!FileManager.default.fileExists(atPath: scene.path("admin.sock")))
            let admin = try await scene.admin(of: tapline)
            #expect(try await admin.ask("/v1/connections/\(id)").status == 200)
            #expect(try await admin.ask("/v1/closed").json["closed"]?.list.count == 1)
            try await tapline.stop()
        }
    }

    @Test(.needs("promtool")) func alerts_areGood_byPrometheusOwnCheck() async throws {
        try await scene { scene in
            let rules = URL(fileURLWithPath: Scene.peers).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appendingPathComponent("config/alerts.yaml").path
            let said = try await scene.run("promtool", "check", "rules", rules)
            #expect(said.contains("SUCCESS: 11 rules found"))
        }
    }

    @Test(.needs("python3", "curl", "tshark")) func aRecording_isStartedAndStopped_andWhatPassedIsInIt() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await puppet.listen("upstream"))", options: Self.options,
                before: ["sh", "-c", "cd \"$0\" && exec \"$@\"", scene.folder])
            let admin = try await scene.admin(of: tapline)
            let name = try #require(try await admin.ask("/v1/relays").json["relays"]?.list.first?["name"]?.text)
            #expect(try await admin.ask("POST", "/v1/relays/nosuch/recording").code == "not_found")
            #expect(try await admin.ask("POST", "/v1/reload").code == "no_configuration_file")
            let elsewhere = try await admin.ask(
                "POST", "/v1/relays/\(name)/recording", body: #"{"directory": "/tmp"}"#)
            #expect((elsewhere.status, elsewhere.code) == (403, "forbidden"))

            let started = try await admin.ask("POST", "/v1/relays/\(name)/recording", body: #"{"when_full": "block"}"#)
            let file = try #require(try started.json["file"]?.text)
            #expect(file.hasPrefix(scene.path("recordings/")))
            #expect(try await admin.ask("/v1/relays/\(name)/recording").json["recording"] == .flag(true))
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            _ = try await puppet.send("client", count: 15)
            try await puppet.receive("server", count: 15)
            try await admin.await("15 bytes recorded", "/v1/relays/\(name)/recording") { answer -> Bool? in
                try answer.json["recorded_bytes"]?.number == 15 ? true : nil
            }
            let stopped = try await admin.ask("DELETE", "/v1/relays/\(name)/recording").json
            #expect(stopped["recording"] == .flag(false))
            #expect(stopped["recorded_bytes"]?.number == 15)
            let packets = try await scene.run(
                "tshark", "-r", file, "-Y", "tcp.len > 0", "-T", "fields", "-e", "tcp.payload")
            #expect(packets.split(separator: "\n").map(\.count) == [30])
            try await tapline.stop()
        }
    }
}

extension AdminClient {
    /// Sends a GET request.
    func ask(_ path: String) async throws -> Answer {
        try await ask("GET", path)
    }
}
