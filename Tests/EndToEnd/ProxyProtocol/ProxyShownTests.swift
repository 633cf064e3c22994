import Foundation
import ProxyProtocol
import Sockets
import Testing

/// Where the client of a PROXY header is shown, and what is told of those without one.
@Suite(.needs("python3"))
struct ProxyShownTests {
    private static let line = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"

    @Test(.needs("curl")) func client_isShownLive_andWhoIsWaitedFor() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(upstream)", options: ["--admin", "127.0.0.1:0", "--accept-proxy", "127.0.0.1"])
            let admin = try await scene.admin(of: tapline)
            let peer = try await puppet.connect("client", to: tapline.address)
            let waiting = try await admin.await("a header is waited for", "/v1/connections/1") { answer in
                try answer.json["waits"]?["for"]?.text == "proxy_header" ? answer.json : nil
            }
            #expect(waiting["client"]?.text == peer && waiting["proxied_by"] == .null)
            #expect(waiting["state"]?.text == "connecting" && waiting["proxy_header"] == .null)
            #expect(
                waiting["story"]?.list.contains { $0.text?.contains("PROXY protocol header. The") == true } == true)
            try await puppet.send("client", Self.line)
            try await puppet.accept("server", from: "upstream")
            let live = try await admin.await("it is open", "/v1/connections/1") { answer in
                try answer.json["state"]?.text == "open" ? answer.json : nil
            }
            #expect(live["client"]?.text == "192.0.2.7:4711" && live["proxied_by"]?.text == peer)
            #expect(live["legs"]?["client"]?["address"]?.text == peer)
            #expect(live["proxy_header"]?["version"]?.text == "v1")
            #expect(live["proxy_header"]?["destination"]?.text == "198.51.100.1:443")
            let said = try await scene.run(
                TaplineProcess.binary, "connections", "--admin", admin.address, "--filter", peer, "--json")
            #expect(said.contains("192.0.2.7:4711"))
            let why = try await scene.run(TaplineProcess.binary, "why", "1", "--admin", admin.address)
            #expect(why.contains("through \(peer)"))
            try await puppet.close("client")
            try await puppet.receiveToEnd("server")
            try await puppet.close("server")

            // What is no header.
            try await puppet.connect("stranger", to: tapline.address)
            try await puppet.send("stranger", "GET / HTTP/1.1\r\n\r\n")
            #expect(try await puppet.receiveToEnd("stranger").end == "reset")
            let records = try await tapline.records(2)
            #expect(records[0].client == "192.0.2.7:4711" && records[0].proxiedBy == peer)
            #expect(records[1].reason == "proxy_header_invalid" && records[1].closedBy == "tapline")
            let story = try await admin.await("its story", "/v1/connections/2") { answer in
                try answer.json["state"]?.text == "closed" ? answer.body : nil
            }
            #expect(story.contains("GET / HTTP/1.1") && story.contains("send-proxy-v2"))
            let metrics = try await admin.ask("/metrics").body
            #expect(metrics.contains("reason=\"proxy_header_invalid\",closed_by=\"tapline\"} 1\n"))
            try await tapline.stop()
        }
    }

    @Test func recording_hasTheClientAndWhatItReached() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.run(
                relays: """
                      - name: web
                        listen: 127.0.0.1:0
                        upstream: \(upstream)
                        proxy_protocol: { accept: true, trusted: 127.0.0.0/8, timeout: 60s }
                        record: { directory: recordings }
                    """)
            try await puppet.connect("client", to: tapline.address)
            try await puppet.send("client", Self.line + "question")
            try await puppet.accept("server", from: "upstream")
            #expect(try await puppet.receive("server", count: 8).text == "question")
            try await puppet.close("client")
            try await puppet.receiveToEnd("server")
            try await puppet.close("server")
            let record = try await tapline.records()[0]
            #expect(record.bytesUp == 8 && record.recordedBytes == 8 && record.droppedBytes == 0)
            try await tapline.stop()
            let folder = scene.path("recordings")
            let name = try #require(FileManager.default.contentsOfDirectory(atPath: folder).first)
            let file = "\(folder)/\(name)"
            let summary = try await scene.run(TaplineProcess.binary, "show", file)
            #expect(summary.contains("192.0.2.7:4711"), "\(summary)")
            let bytes = try await scene.run(TaplineProcess.binary, "show", file, "--format", "raw", "--flow", "up")
            #expect(bytes == "question", "the header is nobody's bytes")
        }
    }

    /// A header that the upstream's socket does not take at once: buffers of a page, and one that reads late.
    @Test(.needsNetworkNamespace, .needs("curl", "nsenter", "unshare"))
    func header_thatDoesNotFit_isSentAsThereIsRoom() async throws {
        try await scene { scene in
            let network = try await scene.network(
                "echo '4096 4096 4096' > /proc/sys/net/ipv4/tcp_wmem",
                "echo '4096 4096 4096' > /proc/sys/net/ipv4/tcp_rmem")
            let puppet = try scene.puppet(before: network.before)
            let upstream = try await puppet.listen("upstream")
            // Waiting for room is part of connecting, and there is none before the test has seen it wait.
            let tapline = try await scene.run(
                relays: """
                      - name: web
                        listen: 127.0.0.1:0
                        upstream: \(upstream)
                        timeouts: { connect: 10m }
                        proxy_protocol: { accept: true, trusted: 127.0.0.0/8, timeout: 60s, send: v2 }
                    """, more: "admin: { listen: 'unix:\(scene.path("admin"))' }", before: network.before)
            let admin = try await scene.admin(of: tapline)
            let header = ProxyHeader(
                version: .v2,
                endpoints: .init(
                    source: .ipv4(IPv4Address(bits: 0xC000_0207), port: 4711),
                    destination: .ipv4(IPv4Address(bits: 0xC633_6401), port: 443)),
                extensions: [
                    .init(type: 0x05, value: Array("the one".utf8)),
                    .init(type: 0xE0, value: (0..<15_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }),
                ]
            ).bytes
            try await puppet.connect("client", to: tapline.address)
            try await puppet.send("client", hex: header.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
            try await puppet.send("client", "question")
            try await puppet.accept("server", from: "upstream")
            try await admin.await("it has not all gone", "/v1/connections/1") { answer in
                try answer.json["state"]?.text == "connecting" && answer.json["waits"]?["for"]?.text == "connect"
                    && answer.json["client"]?.text == "192.0.2.7:4711" ? true : nil
            }
            let received = try await puppet.receive("server", count: header.count + 8)
            try Data(header + Array("question".utf8)).write(to: URL(fileURLWithPath: scene.path("expected")))
            let expected = try await scene.run("sha256sum", scene.path("expected"))
            #expect(expected.split(separator: " ").first.map(String.init) == received.sha256)
            try await puppet.send("server", "answer")
            #expect(try await puppet.receive("client", count: 6).text == "answer")
            try await puppet.close("client")
            try await puppet.receiveToEnd("server")
            try await puppet.close("server")
            let record = try await tapline.records()[0]
            #expect(record.bytesUp == 8 && record.uniqueId == "the one" && record.reason == "client_closed")
        }
    }
}
