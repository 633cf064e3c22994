import Foundation
import Testing

/// Several TLS services behind one port, with common programs.
@Suite(.needs("curl", "nginx", "openssl", "python3"))
struct TLSRoutingTests {
    private static func routes(_ ports: [Int]) -> String {
        """
            upstream: 127.0.0.1:\(ports[2])
            tls_routing:
              timeout: 60s
              routes:
                - { server_name: a.example, upstream: "127.0.0.1:\(ports[0])" }
                - { server_name: "*.b.example", upstream: "127.0.0.1:\(ports[1])" }
                - { server_name: "*.b.example", alpn: h2, upstream: "127.0.0.1:\(ports[0])" }
        """
    }

    private static let services = [
        (name: "first", names: ["a.example", "x.b.example"]), (name: "second", names: ["x.b.example"]),
        (name: "other", names: ["c.example"]),
    ]

    /// Two certificates on two ports, and a third for clients without a route: each client verifies its peer, so
    /// nothing was decrypted, and the requested name is in the end record and in the recording, once.
    @Test func curlAndNginx_meetByTheName() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let ports = try await scene.secureNginx(Self.services, puppet)
            let tapline = try await scene.run(
                relays: """
                      - name: https
                        listen: 127.0.0.1:0
                    \(Self.routes(ports))
                        record: { directory: recordings }
                    """)
            let first = try await scene.ask("a.example", at: tapline.port, trusting: "first")
            #expect(first.prefix(4) == ["first", "a.example", "HTTP/2.0", "TLSv1.3"])
            let second = try await scene.ask("X.b.example", at: tapline.port, trusting: "second", "--http1.1")
            #expect(second.prefix(3) == ["second", "x.b.example", "HTTP/1.1"])
            let byProtocol = try await scene.ask("x.b.example", at: tapline.port, trusting: "first", "--http2")
            #expect(byProtocol.prefix(3) == ["first", "x.b.example", "HTTP/2.0"])
            let other = try await scene.ask("c.example", at: tapline.port, trusting: "other", "--tls-max", "1.2")
            #expect(other.prefix(4) == ["other", "c.example", "HTTP/2.0", "TLSv1.2"])
            let records = try await tapline.records(4).sorted { $0.id < $1.id }
            #expect(
                records.map(\.serverName?.localizedLowercase) == [
                    "a.example", "x.b.example", "x.b.example", "c.example",
                ])
            #expect(records.map(\.alpn) == ["h2,http/1.1", "http/1.1", "h2,http/1.1", "h2,http/1.1"])
            #expect(records.map(\.upstream) == [0, 1, 0, 2].map { "127.0.0.1:\(ports[$0])" })
            for record in records {
                #expect(record.bytesUp > 0 && record.bytesDown > 0 && record.reason.hasSuffix("_closed"))
                #expect(record.recordedBytes == record.bytesUp + record.bytesDown && record.droppedBytes == 0)
            }
            try await tapline.stop()
            let folder = scene.path("recordings")
            let file = try #require(FileManager.default.contentsOfDirectory(atPath: folder).first)
            let summary = try await scene.run(TaplineProcess.binary, "show", "\(folder)/\(file)")
            for words in ["TLS a.example, TLS 1.3, offers h2", "TLS c.example, TLS 1.2, h2"] {
                #expect(summary.contains(words), "\(summary)")
            }
        }
    }

    /// HAProxy sends the client's address in a header, and then the client sends its hello.
    @Test(.needs("haproxy")) func haproxyInFront_andTheHelloBehindItsHeader() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let ports = try await scene.secureNginx(Self.services, puppet)
            let tapline = try await scene.run(
                relays: """
                      - name: https
                        listen: 127.0.0.1:0
                        proxy_protocol: { accept: true, trusted: 127.0.0.1, timeout: 30s }
                    \(Self.routes(ports))
                    """)
            let front = try await scene.haproxy(to: tapline.port, options: "send-proxy-v2", puppet)
            let answer = try await scene.ask(
                "a.example", at: front, trusting: "first", "--interface", "127.0.0.7")
            #expect(answer.prefix(2) == ["first", "a.example"])
            let lines = try await tapline.program.output.first(1, within: .seconds(60)) { $0.contains("a.example") }
            let record = try EndRecord(json: lines[0])
            #expect(record.client.hasPrefix("127.0.0.7:") && record.proxiedBy?.hasPrefix("127.0.0.1:") == true)
            #expect(record.upstream == "127.0.0.1:\(ports[0])")
        }
    }

    /// OpenSSL's own programs, with a hello that does not fit into one record.
    @Test(arguments: ["-tls1_2", "-tls1_3"]) func openssl_withAHelloInSeveralRecords(version: String) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            try await scene.certify("a.example", for: ["a.example"])
            let port = try scene.freePort()
            let base = scene.path("a.example")
            try scene.start([
                "openssl", "s_server", "-accept", "127.0.0.1:\(port)", "-cert", base + ".crt", "-key", base + ".key",
                "-rev", "-quiet",
            ])
            try await puppet.awaitListener("127.0.0.1:\(port)")
            let tapline = try await scene.run(
                relays: """
                      - name: tls
                        listen: 127.0.0.1:0
                        upstream: 127.0.0.1:1
                        tls_routing:
                          timeout: 60s
                          routes: [{ server_name: a.example, upstream: "127.0.0.1:\(port)" }]
                          otherwise: refuse
                    """)
            // Enough protocols for three records of at most 512 bytes.
            let applications = (0..<120).map { "protocol-\($0)" }.joined(separator: ",")
            let client =
                "printf 'tapline\\nCLOSE\\n' | openssl s_client \(version) -connect \(tapline.address) -servername a.example"
                + " -max_send_frag 512 -alpn \(applications) -CAfile \(base).crt -verify_return_error -quiet 2>/dev/null"
            let answer = try await scene.run("sh", "-c", client)
            #expect(answer.contains("enilpat"), "\(answer)")
            let record = try await tapline.records()[0]
            #expect(record.serverName == "a.example" && record.alpn?.hasPrefix("protocol-0,protocol-1,") == true)
            #expect(record.alpn?.hasSuffix(",...") == true && record.bytesUp > 1500)
            // Another name is refused, and the reason is reported.
            _ = try await scene.run(
                "sh", "-c", "echo | openssl s_client -connect \(tapline.address) -servername b.example 2>&1 || true")
            let refused = try await tapline.records(2)[1]
            #expect(refused.reason == "tls_not_routed" && refused.closedBy == "tapline")
            #expect(refused.serverName == "b.example" && refused.upstreamAddress == nil)
        }
    }

    /// A waiting client is shown, and ended; a relay without routes in the same process lets the server send first.
    @Test func silentClient_isShownAndEnded_andServersMaySpeakFirstElsewhere() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.run(
                relays: """
                      - name: mail
                        listen: 127.0.0.1:0
                        upstream: \(upstream)
                      - name: https
                        listen: 127.0.0.1:0
                        upstream: \(upstream)
                        tls_routing: { routes: [{ server_name: a.example }], timeout: 10m }
                      - name: hasty
                        listen: 127.0.0.1:0
                        upstream: \(upstream)
                        tls_routing: { routes: [{ server_name: a.example }], timeout: 1s }
                    """, more: "admin: { listen: 127.0.0.1:0 }", listeners: 3)
            let admin = try await scene.admin(of: tapline)
            try await puppet.connect("reader", to: tapline.listeners[0])
            try await puppet.accept("server", from: "upstream")
            try await puppet.send("server", "220 mx.example ESMTP\r\n")
            #expect(try await puppet.receive("reader", count: 22).text == "220 mx.example ESMTP\r\n")
            try await puppet.connect("silent", to: tapline.listeners[1])
            let waiting = try await admin.await("a hello is waited for", "/v1/connections/2") { answer in
                try answer.json["waits"]?["for"]?.text == "tls_hello" ? answer.json : nil
            }
            #expect(waiting["state"]?.text == "connecting" && waiting["tls_hello"] == .null)
            #expect(waiting["story"]?.list.contains { $0.text?.contains("tls_routing.timeout") == true } == true)
            try await puppet.connect("late", to: tapline.listeners[2])
            #expect(try await puppet.receiveToEnd("late").end == "reset")
            let ended = try await tapline.records()[0]
            #expect(ended.relay == "hasty" && ended.reason == "tls_hello_timeout" && ended.closedBy == "tapline")
            // The loop's clock, by which it ends, is a little behind the one that measures.
            #expect(ended.durationMs >= 900)
            let relays = try await admin.ask("/v1/relays").json["relays"]?.list
            let routing = relays?.first { $0["name"]?.text == "https" }?["tls_routing"]
            #expect(routing?["routes"]?.list.first?["server_name"]?.list.first?.text == "a.example")
            let metrics = try await admin.ask("/metrics").body
            #expect(metrics.contains("reason=\"tls_hello_timeout\",closed_by=\"tapline\"} 1\n"))
            // Bytes that are not TLS go to the relay's own upstream, escaped wherever they are shown.
            try await puppet.connect("stranger", to: tapline.listeners[1])
            try await puppet.send("stranger", "\u{1B}]0;evil\u{7} and more")
            try await puppet.accept("own", from: "upstream")
            #expect(try await puppet.receive("own", count: 18).text == "\u{1B}]0;evil\u{7} and more")
            let why = try await scene.run(TaplineProcess.binary, "why", "4", "--admin", admin.address)
            #expect(why.contains("\\x1b]0;evil\\x07") && !why.contains("\u{1B}]0"), "\(why)")
            for name in ["reader", "server", "silent", "stranger", "own"] { try await puppet.close(name) }
            try await tapline.stop()
        }
    }
}
