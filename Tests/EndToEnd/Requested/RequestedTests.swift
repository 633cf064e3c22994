import Foundation
import Testing

/// A relay whose clients request their destinations, with common programs.
@Suite(.needs("curl", "nginx", "openssl", "python3"))
struct RequestedTests {
    /// How curl uses the relay as a proxy.
    private static func proxies(_ tapline: TaplineProcess) -> [[String]] {
        [
            ["--socks5-hostname", tapline.address], ["--socks5", tapline.address],
            ["--proxytunnel", "--proxy", "http://\(tapline.address)"],
        ]
    }

    /// A TLS service whose name the proxy looks up, or curl: the certificate is verified, so it is the right service.
    @Test func curl_throughSOCKSAndCONNECT_getsTheServiceItRequests() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let port = try await scene.secureNginx([(name: "first", names: ["localhost"])], puppet)[0]
            let tapline = try await scene.run(
                relays: """
                      - name: proxy
                        listen: 127.0.0.1:0
                        upstream: requested
                        requested: { allow: ["localhost:\(port)", "127.0.0.0/8:\(port)"], timeout: 60s }
                        record: { directory: recordings }
                    """)
            let proxies = Self.proxies(tapline)
            for proxy in proxies {
                let answer = try await scene.run(
                    ["curl", "-sS", "--max-time", "60", "-4", "--noproxy", "", "--cacert", scene.path("first.crt")]
                        + proxy
                        + ["https://localhost:\(port)/"])
                #expect(answer.hasPrefix("first localhost "), "\(answer)")
            }
            let records = try await tapline.records(proxies.count).sorted { $0.id < $1.id }
            #expect(records.map(\.upstream) == ["localhost:\(port)", "127.0.0.1:\(port)", "localhost:\(port)"])
            for record in records {
                #expect(record.upstreamAddress == "127.0.0.1:\(port)" && record.reason.hasSuffix("_closed"))
                #expect(record.recordedBytes == record.bytesUp + record.bytesDown && record.droppedBytes == 0)
            }
            try await tapline.stop()
            // The recording has the conversation without the request: Wireshark sees TLS from the first byte on.
            let folder = scene.path("recordings")
            let file = try #require(FileManager.default.contentsOfDirectory(atPath: folder).first)
            let summary = try await scene.run(TaplineProcess.binary, "show", "\(folder)/\(file)")
            #expect(summary.components(separatedBy: "TLS localhost").count == 4, "\(summary)")
        }
    }

    /// curl's message for each failure: it reads the reply, and no reset comes before it.
    @Test func curl_getsTheReasonOfItsFailedRequest() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let port = try await puppet.listen("upstream").split(separator: ":")[1]
            let free = try scene.freePort()
            let tapline = try await scene.run(
                relays: """
                      - name: proxy
                        listen: 127.0.0.1:0
                        upstream: requested
                        requested: { allow: ["localhost:\(free)", "nowhere.invalid"], timeout: 60s }
                    """)
            let requests: [(url: String, socks: Int, status: Int, reason: String)] = [
                ("http://localhost:\(free)/", 5, 502, "connect_refused"),
                ("http://localhost:\(port)/", 2, 403, "destination_refused"),
                ("http://127.0.0.1:\(port)/", 2, 403, "destination_refused"),
            ]
            for request in requests {
                for (index, proxy) in Self.proxies(tapline).enumerated() where index != 1 {
                    let program = try scene.start(
                        ["curl", "-sS", "--max-time", "60", "--noproxy", ""] + proxy + [request.url])
                    let words = index == 0 ? "(\(request.socks))" : "response \(request.status)"
                    _ = try await program.errors.line(containing: words)
                }
            }
            let plain = try await scene.run(
                "curl", "-sS", "--max-time", "60", "--noproxy", "", "--proxy", "http://\(tapline.address)",
                "http://localhost:\(free)/")
            #expect(plain == "The request uses the HTTP method GET; only CONNECT is supported")
            let records = try await tapline.records(7).sorted { $0.id < $1.id }
            #expect(
                records.map(\.reason) == requests.flatMap { [$0.reason, $0.reason] } + ["request_invalid"])
        }
    }

    @Test func halfARequest_isEndedAfterItsTimeout_withAReply() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.run(
                relays: """
                      - name: proxy
                        listen: 127.0.0.1:0
                        upstream: requested
                        requested: { timeout: 1s }
                    """)
            try await puppet.connect("client", to: tapline.address)
            try await puppet.send("client", "CONNECT example.com")
            let answer = try await puppet.receiveToEnd("client")
            #expect(answer.end == "fin" && answer.text?.hasPrefix("HTTP/1.1 408 Request Timeout\r\n") == true)
            try await puppet.close("client")
            let record = try await tapline.records()[0]
            #expect(
                record.reason == "request_timeout" && record.closedBy == "tapline" && record.upstream == "requested")
        }
    }

    /// redis-cli does not support proxies: one Tapline connects it through another, with credentials that are shown
    /// nowhere.
    @Test(.needs("redis-server", "redis-cli"), arguments: ["socks5", "http"])
    func redis_throughTwoTaplines(scheme: String) async throws {
        try await scene { scene in
            let redis = try scene.freePort()
            let server = try scene.start([
                "redis-server", "--port", "\(redis)", "--bind", "127.0.0.1", "--save", "", "--dir", scene.folder,
            ])
            try await server.output.line(containing: "eady to accept connections")
            let proxy = try await scene.forward("socks:127.0.0.1:0")
            let tapline = try await scene.forward(
                "127.0.0.1:0:localhost:\(redis)",
                options: ["--upstream-proxy", "\(scheme)://me:geheim@\(proxy.address)"])
            #expect(try await scene.run("redis-cli", "-p", "\(tapline.port)", "set", "a", "b") == "OK")
            #expect(try await scene.run("redis-cli", "-p", "\(tapline.port)", "get", "a") == "b")
            for record in try await tapline.records(2) {
                #expect(record.upstream == "localhost:\(redis)" && record.upstreamAddress == proxy.address)
                #expect(record.reason == "client_closed" && record.connectMs != nil)
            }
            for record in try await proxy.records(2) {
                #expect(record.relay == "socks" && record.upstream == "localhost:\(redis)")
            }
            let output = [tapline.program.errors.all, tapline.program.output.all].joined().joined()
            #expect(!output.contains("geheim"))
        }
    }

    @Test func upstreamProxyThatRefuses_isNamedWithItsReply() async throws {
        try await scene { scene in
            let free = try scene.freePort()
            let proxy = try await scene.forward("socks:127.0.0.1:0")
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:127.0.0.1:\(free)",
                options: ["--upstream-proxy", "socks5://\(proxy.address)", "--admin", "unix:\(scene.path("admin"))"])
            try await puppet.connect("client", to: tapline.address)
            #expect(try await puppet.receiveToEnd("client").end == "reset")
            let record = try await tapline.records()[0]
            #expect(record.reason == "upstream_proxy_failed" && record.closedBy == "upstream")
            let story = try await scene.run(
                TaplineProcess.binary, "why", "1", "--admin", "unix:\(scene.path("admin"))")
            // The story is wrapped to the terminal's width.
            let words = story.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(words.contains("it replied 05, connection refused"), "\(story)")
        }
    }

    /// A proxy that requires a login, replies and resets at once.
    @Test func upstreamProxyThatRepliesAndResets_isNamedWithItsReply() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let proxy = try await puppet.listen("proxy")
            let tapline = try await scene.forward(
                "127.0.0.1:0:db.test:5432",
                options: ["--upstream-proxy", "http://\(proxy)", "--admin", "unix:\(scene.path("admin"))"])
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "proxy")
            try await puppet.receive("server", count: 10)
            try await puppet.send("server", "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            try await puppet.flush("server")
            try await puppet.reset("server")
            #expect(try await puppet.receiveToEnd("client").end == "reset")
            let record = try await tapline.records()[0]
            #expect(record.reason == "upstream_proxy_failed" && record.closedBy == "upstream")
            let story = try await scene.run(
                TaplineProcess.binary, "why", "1", "--admin", "unix:\(scene.path("admin"))")
            let words = story.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(words.contains("it replied \"HTTP/1.1 407 Proxy Authentication Required\""), "\(story)")
        }
    }
}
