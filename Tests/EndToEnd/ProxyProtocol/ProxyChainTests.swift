import Foundation
import Testing

/// The PROXY protocol with its common implementations, as senders and as receivers.
@Suite(.needs("curl", "haproxy", "nginx", "python3"))
struct ProxyChainTests {
    /// A Tapline that accepts headers, with a long timeout, because 3 s are too short for a busy sender.
    private static func accepting(_ scene: Scene, upstream: String) async throws -> TaplineProcess {
        try await scene.run(
            relays: """
                  - name: web
                    listen: 127.0.0.1:0
                    upstream: \(upstream)
                    proxy_protocol: { accept: true, trusted: 127.0.0.0/8, timeout: 60s }
                """)
    }

    /// The record of the client's request; the probes for a listener also came through.
    private static func record(of tapline: TaplineProcess) async throws -> EndRecord {
        let lines = try await tapline.program.output.first(1, within: .seconds(60)) {
            $0.contains("\"client\":\"127.0.0.7:")
        }
        return try EndRecord(json: lines[0])
    }

    // MARK: End to end

    /// HAProxy → tapline → nginx, version 2 on both legs: the client's address reaches the end.
    @Test func haproxyAndNginx_withTaplineBetween_knowTheClient() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let nginx = try await scene.answeringNginx(puppet)
            let tapline = try await scene.run(
                relays: """
                      - name: web
                        listen: 127.0.0.1:0
                        upstream: 127.0.0.1:\(nginx.port)
                        proxy_protocol: { accept: true, trusted: 127.0.0.1, timeout: 30s, send: v2 }
                    """)
            let haproxy = try await scene.haproxy(
                to: tapline.port, options: "send-proxy-v2 proxy-v2-options unique-id,crc32c",
                frontend: "unique-id-format from-haproxy-%cp", puppet)
            let answer = try await scene.ask(haproxy)
            #expect(answer.first == "127.0.0.7")
            let record = try await Self.record(of: tapline)
            let clientPort = try #require(answer.last)
            #expect(record.client == "127.0.0.7:\(clientPort)")
            #expect(record.proxiedBy?.hasPrefix("127.0.0.1:") == true)
            #expect(record.uniqueId == "from-haproxy-\(clientPort)")
            #expect(record.bytesUp > 0 && record.bytesDown > 0 && record.reason.hasSuffix("_closed"))
            try await scene.eventually("nginx has logged") {
                (try? String(contentsOfFile: nginx.log, encoding: .utf8))?
                    .contains("127.0.0.7:\(clientPort) to \(haproxy)\n") == true
            }
        }
    }

    // MARK: In

    @Test(arguments: ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,authority", "nginx"])
    func haproxyOrNginx_asSender_isBelieved(sender: String) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let answers = try await scene.answeringHAProxy(puppet)
            let tapline = try await Self.accepting(scene, upstream: "127.0.0.1:\(answers)")
            let front =
                sender == "nginx"
                ? try await scene.forwardingNginx(to: tapline.port, puppet)
                : try await scene.haproxy(to: tapline.port, options: sender, puppet)
            // Without another header the answer is about Tapline.
            #expect(try await scene.ask(front).first == "127.0.0.1")
            let record = try await Self.record(of: tapline)
            #expect(record.client.hasPrefix("127.0.0.7:") && record.proxiedBy?.hasPrefix("127.0.0.1:") == true)
        }
    }

    /// nginx's realip module takes the client's address from a header, and nginx writes it together with its own
    /// address, of another family.
    @Test func nginx_thatTookAnIPv6ClientFromAHeader_isBelieved() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await Self.accepting(scene, upstream: upstream)
            let front = try await scene.forwardingNginx(to: tapline.port, takingClientsFromHeaders: true, puppet)
            try await puppet.connect("client", to: "127.0.0.1:\(front)")
            try await puppet.send("client", "PROXY TCP6 2001:db8::7 2001:db8::1 51512 443\r\nhello")
            try await puppet.accept("server", from: "upstream")
            #expect(try await puppet.receive("server", count: 5).text == "hello")
            try await puppet.close("client")
            try await puppet.close("server")
            let line = try await tapline.program.output.first(1) {
                $0.contains("2001:db8::7") || $0.contains("invalid")
            }[0]
            let record = try EndRecord(json: line)
            #expect(record.client == "[2001:db8::7]:51512" && record.proxiedBy?.hasPrefix("127.0.0.1:") == true)
            #expect(record.bytesUp == 5)
        }
    }

    @Test func curl_asSender_speaksForItself() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let answers = try await scene.answeringHAProxy(puppet)
            let tapline = try await scene.forward(
                "127.0.0.1:0:127.0.0.1:\(answers)", options: ["--accept-proxy", "127.0.0.7"])
            // A curl that is delayed between connecting and sending loses its connection after 3 s.
            var answer: [String] = []
            try await scene.eventually("curl is answered") {
                answer = (try? await scene.ask(tapline.port, "--haproxy-protocol")) ?? []
                return !answer.isEmpty
            }
            #expect(answer.first == "127.0.0.1")
            let lines = try await tapline.program.output.first {
                EndRecord.isRecord($0) && !$0.contains("\"reason\":\"proxy_header_timeout\"")
            }
            let record = try EndRecord(json: lines[0])
            #expect(record.client.hasPrefix("127.0.0.7:") && record.proxiedBy == record.client)
        }
    }

    /// A health check of a load balancer is its own connection (LOCAL); one that only connects requests nothing.
    @Test func healthChecks_areTheLoadBalancersOwn() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let answers = try await scene.answeringHAProxy(puppet)
            let tapline = try await Self.accepting(scene, upstream: "127.0.0.1:\(answers)")
            let front = try scene.freePort()
            try await scene.haproxy(
                """
                listen front
                    mode tcp
                    timeout check 20s
                    option httpchk GET /
                    bind 127.0.0.1:\(front)
                    server local 127.0.0.1:\(tapline.port) check inter 1s send-proxy-v2 check-send-proxy
                """, port: front, puppet)
            // It checks repeatedly and waits for an answer: a check that only connects may reset before an upstream is
            // connected.
            try await scene.eventually("it was looked at") {
                try tapline.recordsSoFar.contains { record in
                    record.client == record.proxiedBy && record.upstreamAddress == "127.0.0.1:\(answers)"
                }
            }
            let bare = try await puppet.connect("bare", to: tapline.address)
            try await puppet.close("bare")
            try await scene.eventually("the other has ended") {
                try tapline.recordsSoFar.contains { record in
                    record.client == bare && record.proxiedBy == nil && record.upstreamAddress == nil
                        && record.reason == "client_closed"
                }
            }
        }
    }

    // MARK: Out

    @Test(arguments: ["v1", "v2"]) func haproxy_asReceiver_knowsTheClient(version: String) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let answers = try await scene.answeringHAProxy(bind: "accept-proxy", puppet)
            let tapline = try await scene.forward(
                "127.0.0.1:0:127.0.0.1:\(answers)", options: ["--send-proxy", version])
            let answer = try await scene.ask(tapline.port)
            let record = try await tapline.records()[0]
            #expect(answer.count >= 2 && record.client == "\(answer[0]):\(answer[1])")
            #expect(answer[0] == "127.0.0.7" && record.proxiedBy == nil)
            #expect(record.uniqueId == (version == "v2" ? answer.last : nil))
            #expect(answer.count == (version == "v2" ? 3 : 2))
        }
    }

    @Test(arguments: ["v1", "v2"]) func nginx_asReceiver_knowsTheClient(version: String) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let nginx = try await scene.answeringNginx(puppet)
            let tapline = try await scene.forward(
                "127.0.0.1:0:127.0.0.1:\(nginx.port)", options: ["--send-proxy", version])
            let answer = try await scene.ask(tapline.port)
            let record = try await tapline.records()[0]
            #expect(answer.count == 2 && record.client == answer.joined(separator: ":"))
            #expect(answer[0] == "127.0.0.7")
        }
    }

    /// Neither supports Unix clients; both must accept the connection anyway, as the specification requires.
    @Test(arguments: ["v1", "v2"]) func unixClient_isAcceptedByEveryReceiver(version: String) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let answers = try await scene.answeringHAProxy(bind: "accept-proxy", puppet)
            let nginx = try await scene.answeringNginx(puppet)
            let sockets = [scene.path("to-haproxy"), scene.path("to-nginx")]
            let tapline = try await scene.forward(
                "unix:\(sockets[0])=127.0.0.1:\(answers)", "unix:\(sockets[1])=127.0.0.1:\(nginx.port)",
                options: ["--send-proxy", version])
            for socket in sockets {
                let status = try await scene.run(
                    "curl", "-sS", "--max-time", "60", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", socket,
                    "http://localhost/")
                #expect(status == "200")
            }
            #expect(try await tapline.records(2).allSatisfy { $0.client == "unix:" })
        }
    }
}
