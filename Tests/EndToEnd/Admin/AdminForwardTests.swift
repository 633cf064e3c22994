import Foundation
import Testing

/// What the admin API shows of `tapline forward`.
@Suite(.needs("python3", "curl"))
struct AdminForwardTests {
    @Test func rates_areSampledFromTheStart() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await puppet.listen("upstream"))", options: ["--admin", "127.0.0.1:0"])
            let admin = try await scene.admin(of: tapline)
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            _ = try await puppet.send("client", count: 500_000)
            try await puppet.receive("server", count: 500_000)
            // No request since: the sampling does not depend on them.
            try await admin.await("a sample of the transfer", "/v1/history") { answer -> Bool? in
                let json = try answer.json
                let rates = json["relays"]?.list.first?["rate_up"]?.list.compactMap(\.number) ?? []
                #expect(json["total"]?["rate_up"]?.list.compactMap(\.number) == rates)
                #expect(json["age_ms"]?.list.count == rates.count)
                return rates.contains { $0 > 0 } ? true : nil
            }
            #expect(try await admin.ask("/v1/history?relay=nosuch").code == "not_found")
            try await tapline.stop()
        }
    }

    @Test func story_namesTheOption_andNotTheKey() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await puppet.listen("upstream"))",
                options: ["--admin", "127.0.0.1:0", "--idle-timeout", "1s"])
            let admin = try await scene.admin(of: tapline)
            try await puppet.connect("client", to: tapline.address)
            #expect(try await tapline.records(1)[0].reason == "idle_timeout")
            try await admin.await("its story", "/v1/connections/1") { answer -> Bool? in
                guard try answer.json["state"]?.text == "closed" else { return nil }
                #expect(answer.body.contains("for --idle-timeout (now 1s)"))
                #expect(answer.body.contains("raise --idle-timeout") && !answer.body.contains("timeouts.idle"))
                return true
            }
            try await tapline.stop()
        }
    }

    /// Through another Tapline that is a SOCKS proxy.
    @Test func upstreamProxy_isShownForTheRelayAndItsConnections() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let proxy = try await scene.forward("socks:127.0.0.1:0")
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(upstream)",
                options: ["--admin", "127.0.0.1:0", "--upstream-proxy", "socks5://\(proxy.address)"])
            let admin = try await scene.admin(of: tapline)
            let relay = try #require(try await admin.ask("/v1/relays").json["relays"]?.list.first)
            #expect(relay["upstream_proxy"]?.text == "socks5://\(proxy.address)")
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            let path = "Upstream: \(upstream), through the proxy \(proxy.address)."
            try await admin.await("the open connection", "/v1/connections/1") { answer -> Bool? in
                guard try answer.json["state"]?.text == "open" else { return nil }
                #expect(try answer.json["upstream_proxy"]?.text == proxy.address)
                #expect(answer.body.contains(path))
                return true
            }
            try await puppet.close("client")
            try await puppet.receiveToEnd("server")
            try await puppet.close("server")
            try await admin.await("the ended connection", "/v1/connections/1") { answer -> Bool? in
                guard try answer.json["state"]?.text == "closed" else { return nil }
                #expect(answer.body.contains(path))
                return true
            }
            try await tapline.stop()
            try await proxy.stop()
        }
    }
}
