import Foundation
import Testing

/// A client that never reads, and an upstream that floods it: the end record says so, whatever ends the connection.
struct SlowReaderTests {
    enum Cut: CaseIterable {
        case idle, lifetime, kill, drain

        var reason: String {
            switch self {
            case .idle: "idle_timeout"
            case .lifetime: "lifetime"
            case .kill: "killed"
            case .drain: "drained"
            }
        }

        /// Long enough for a machine that pauses while the sockets are filled.
        var settings: String {
            switch self {
            case .idle: ", timeouts: { idle: 8s }"
            case .lifetime: ", timeouts: { lifetime: 15s }"
            case .kill, .drain: ""
            }
        }
    }

    @Test(.needs("python3", "curl"), arguments: Cut.allCases)
    func readerThatWasCut_isNamed_beforeAndAfterTheEnd(cut: Cut) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.run(
                relays: "  - { name: web, listen: '127.0.0.1:0', upstream: '\(upstream)'\(cut.settings) }",
                more: "admin: { listen: '127.0.0.1:0' }\nshutdown: { drain: 1s }")
            let admin = try await scene.admin(of: tapline)
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            var live: [String: JSON] = [:]
            // Filled again until it is full: a relay that gets no CPU time for a while looks full, too.
            try await scene.eventually("the client's reading is waited for") {
                _ = try await puppet.fill("server")
                live = try await admin.ask("/v1/connections/1").json
                return live["waited_for"]?.text == "client" && live["held_bytes"]?.number ?? 0 > 0
            }
            #expect(live["waited_ms"]?.number ?? 0 >= 500)
            #expect(live["story"]?.list.contains { $0.text?.hasPrefix("The client is not reading: ") == true } == true)

            if cut == .kill { _ = try await admin.ask("DELETE", "/v1/connections/1") }
            if cut == .drain { try await tapline.stop() }
            let record = try await tapline.records()[0]
            #expect(record.reason == cut.reason && record.closedBy == "tapline")
            #expect(record.waitedFor == "client", "\(record)")
            #expect(record.heldBytes ?? 0 > 0 && record.waitedMs ?? 0 >= 500)
            if cut == .drain { return }
            let ended = try await admin.await("its story", "/v1/connections/1") { answer in
                try answer.json["state"]?.text == "closed" ? answer.json : nil
            }
            #expect(
                ended["waited_for"]?.text == "client" && ended["held_bytes"]?.number == record.heldBytes.map(Int.init))
            let story = ended["story"]?.list.compactMap(\.text).joined(separator: " ") ?? ""
            #expect(story.contains("The client stopped reading ") && story.contains(" before the end; "), "\(story)")
            #expect(story.contains("Check why the client's program does not read") && !story.contains("raise timeouts"))
            let closed = try await admin.ask("/v1/closed").json["closed"]?.list.first
            #expect(closed?["waited_for"]?.text == "client")
            try await tapline.stop()
        }
    }

    /// A relay whose upstream refuses is failing everywhere, and recovers with the first success.
    @Test(.needs("python3", "curl")) func relayWhoseUpstreamRefuses_isFailing_untilAConnectSucceeds() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            try await puppet.close("upstream")
            let tapline = try await scene.forward("127.0.0.1:0:\(upstream)", options: ["--admin", "127.0.0.1:0"])
            let admin = try await scene.admin(of: tapline)
            for number in 1...3 {
                try await puppet.connect("client\(number)", to: tapline.address)
                _ = try await tapline.records(number)
            }
            let failing = try await admin.await("the failing relay", "/v1/status") { answer in
                try answer.json["failing_relays"]?.list.first { $0["failed"]?.number == 3 }
            }
            #expect(failing["attempts"]?.number == 3 && failing["last_failure"]?.text == "connect_refused")
            let target = admin.address
            let status = try await scene.run(TaplineProcess.binary, "status", "--admin", target)
            #expect(
                status.contains(": upstream refuses connections: all 3 connects in the last 5 min failed"),
                "\(status)")
            _ = try await puppet.listen("again", upstream)
            try await puppet.connect("late", to: tapline.address)
            try await puppet.accept("late-server", from: "again")
            try await admin.await("the recovery", "/v1/relays") { answer in
                try answer.json["relays"]?.list.first?["recent_connects"]?["failing"] == .flag(false) ? true : nil
            }
            let recovered = try await admin.ask("/v1/status").json
            #expect(recovered["failing_relays"]?.list.isEmpty == true)
            try await tapline.stop()
        }
    }
}
