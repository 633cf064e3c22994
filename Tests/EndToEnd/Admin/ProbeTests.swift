import Foundation
import Testing

/// Health checks: HAProxy's `httpchk`, `wget --spider`, `curl -I`, the kubelet, clients on a Unix socket.
@Suite(.needs("python3", "curl"))
struct ProbeTests {
    /// The whole answer up to the end of the stream, in lines. If a worker gets no CPU time for two seconds, `/healthz`
    /// reports it, and the request is repeated.
    private func raw(_ scene: Scene, _ address: String, _ request: String) async throws -> [String] {
        var lines: [String] = []
        try await scene.eventually("it is healthy") {
            let said = try await scene.run(Scene.peer("raw.py") + [address, request])
            // A CRLF is one character.
            lines = said.replacingOccurrences(of: "\r\n", with: "\n").replacingOccurrences(of: "\r", with: "")
                .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            let isLate = lines.contains { $0.hasPrefix("HTTP/1.") && $0.contains(" 503 ") }
            return !(isLate && request.contains("/healthz"))
        }
        return lines
    }

    private func play(
        _ listen: String? = nil, _ body: (Scene, TaplineProcess, AdminClient) async throws -> Void
    ) async throws {
        try await scene { scene in
            let listen = listen ?? "127.0.0.1:0"
            let address = listen.hasPrefix("unix:") ? "unix:\(scene.path("admin.sock"))" : listen
            let tapline = try await scene.forward("127.0.0.1:0:127.0.0.1:1", options: ["--admin", address])
            try await body(scene, tapline, try await scene.admin(of: tapline))
        }
    }

    private static let shown = [
        "/", "/healthz", "/readyz", "/v1/relays", "/v1/connections", "/v1/closed", "/v1/relays/1/recording",
    ]

    private static let noConnection = "/v1/tap?connection=4711"

    @Test func head_hasTheHeaderOfGet_andNoBody() async throws {
        try await play { scene, _, admin in
            for path in Self.shown + ["/metrics", "/v1/status", "/v1/tap", "/v1/events", "/nowhere"] + [
                Self.noConnection
            ] {
                // The next answer on the same connection can be parsed only if no bytes followed the header.
                let request =
                    #"HEAD \#(path) HTTP/1.1\r\nHost: localhost\r\n\r\n"#
                    + #"HEAD /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"#
                let lines = try await raw(scene, admin.address, request)
                let heads = lines.indices.filter { lines[$0].hasPrefix("HTTP/1.1 ") }
                try #require(heads.count == 2, "\(path): \(lines)")
                // The relay is named after its free port, so the path of its recording does not exist.
                let isKnown = ![Self.noConnection, "/nowhere"].contains(path) && !path.hasSuffix("/recording")
                #expect(lines[heads[0]] == (isKnown ? "HTTP/1.1 200 OK" : "HTTP/1.1 404 Not Found"), "\(path)")
                #expect(lines[heads[1]] == "HTTP/1.1 200 OK")
                #expect(lines[heads[1] - 1].isEmpty, "\(path): \(lines)")
                #expect(!lines[..<(heads[1] - 1)].contains(""), "\(path) has a body: \(lines)")
                // Only the empty line that ends the header.
                #expect(lines.last == "" && lines[heads[1]...].count { $0.isEmpty } == 1, "\(path): \(lines)")
                let type = lines[..<heads[1]].first { $0.lowercased().hasPrefix("content-type: ") }
                let stream = ["/v1/tap": "application/x-pcapng", "/v1/events": "text/event-stream"][path]
                if let stream { #expect(type?.hasSuffix(stream) == true, "\(path): \(lines)") }
            }
            #expect(try await admin.ask("/v1/status").status == 200)
        }
    }

    @Test func head_hasTheLengthThatGetHas() async throws {
        try await play { scene, _, admin in
            for path in ["/", "/healthz", "/readyz", "/v1/relays", "/nowhere"] {
                var (head, body) = ("", "")
                // If a worker gets no CPU time for two seconds, one of the two answers may differ.
                try await scene.eventually("it is healthy") {
                    head = try await scene.run(["curl", "-sI", "--max-time", "60"] + admin.target(path))
                    body = try await scene.run(
                        ["curl", "-s", "--max-time", "60", "-o", "/dev/null", "-w", "%{http_code} %{size_download}"]
                            + admin.target(path))
                    return !(path == "/healthz" && (head.hasPrefix("HTTP/1.1 503 ") || body.hasPrefix("503 ")))
                }
                let length = head.lowercased().firstMatch(of: /content-length: (\d+)/).flatMap { Int($0.1) }
                let size = body.split(separator: " ").last.flatMap { Int($0) }
                #expect(length != nil && length == size, "\(path): \(head)")
            }
        }
    }

    @Test func version10_withoutHost_isAnswered_andItsConnectionEnds() async throws {
        try await play { scene, _, admin in
            for path in ["/readyz", "/healthz", "/metrics", "/v1/connections", "/v1/status", "/"] {
                let lines = try await raw(scene, admin.address, #"GET \#(path) HTTP/1.0\r\n\r\n"#)
                #expect(lines.first == "HTTP/1.0 200 OK", "\(path): \(lines)")
                #expect(lines.contains { $0.lowercased() == "connection: close" }, "\(path): \(lines)")
                #expect(!lines.contains { $0.lowercased().hasPrefix("transfer-encoding") }, "\(path): \(lines)")
            }
            let ready = try await raw(scene, admin.address, #"GET /readyz HTTP/1.0\r\n\r\n"#)
            let modern = try await admin.ask("/readyz")
            #expect(ready.last == modern.body)
        }
    }

    @Test func version10_keepsTheConnection_whereItIsAskedTo() async throws {
        try await play { scene, _, admin in
            let request =
                #"GET /readyz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"# + #"HEAD /healthz HTTP/1.0\r\n\r\n"#
            let lines = try await raw(scene, admin.address, request)
            let heads = lines.indices.filter { lines[$0].contains("HTTP/1.0 200 OK") }
            try #require(heads.count == 2, "\(lines)")
            #expect(lines[..<heads[1]].contains { $0.lowercased() == "connection: keep-alive" }, "\(lines)")
            #expect(lines[heads[1]...].contains { $0.lowercased() == "connection: close" }, "\(lines)")
        }
    }

    @Test func version11_endsTheConnection_whereItIsAskedTo_inAnyCase() async throws {
        try await play { scene, _, admin in
            for word in ["close", "Close", "keep-alive, close"] {
                let lines = try await raw(
                    scene, admin.address, #"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: \#(word)\r\n\r\n"#)
                #expect(lines.first == "HTTP/1.1 200 OK", "\(lines)")
            }
        }
    }

    @Test func aHost_isRequired_andOurs_overTCP() async throws {
        try await play { scene, _, admin in
            for (host, status) in [
                ("Host: localhost", 200), ("Host: localhost.", 200), ("Host: 127.0.0.1:1", 200),
                ("Host: evil.example", 403),
                ("Host: evil.example:80", 403), ("X-Host: localhost", 403),
            ] {
                for version in host.hasPrefix("X-") ? ["1.1"] : ["1.0", "1.1"] {
                    let lines = try await raw(
                        scene, admin.address,
                        #"GET /readyz HTTP/\#(version)\r\n\#(host)\r\nConnection: close\r\n\r\n"#)
                    #expect(lines.first?.hasPrefix("HTTP/\(version) \(status) ") == true, "\(host): \(lines)")
                }
            }
            // If the URL names the server, Host does not count.
            for (target, status) in [("http://localhost/readyz", 200), ("http://evil.example/readyz", 403)] {
                let lines = try await raw(
                    scene, admin.address, #"GET \#(target) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"#)
                #expect(lines.first?.hasPrefix("HTTP/1.1 \(status) ") == true, "\(target): \(lines)")
            }
        }
    }

    @Test func anyHost_isGood_onAUnixSocket() async throws {
        try await play("unix:") { scene, _, admin in
            for host in ["Host: d", "Host: evil.example", "Host: %2Frun%2Fa.sock", "Host:", "X-Host: none"] {
                let lines = try await raw(
                    scene, admin.address, #"GET /readyz HTTP/1.1\r\n\#(host)\r\nConnection: close\r\n\r\n"#)
                #expect(lines.first == "HTTP/1.1 200 OK", "\(host): \(lines)")
            }
            let lines = try await raw(scene, admin.address, #"GET /readyz HTTP/1.0\r\n\r\n"#)
            #expect(lines.first == "HTTP/1.0 200 OK", "\(lines)")
        }
    }

    @Test func options_isRefused_withTheMethodsThatThereAre() async throws {
        try await play { scene, _, admin in
            for (path, methods) in [
                ("/readyz", "GET, HEAD"), ("/v1/drain", "POST"), ("/v1/connections/1", "GET, HEAD, DELETE"),
            ] {
                let lines = try await raw(
                    scene, admin.address, #"OPTIONS \#(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"#)
                #expect(lines.first == "HTTP/1.1 405 Method Not Allowed", "\(lines)")
                #expect(lines.contains { $0.lowercased() == "allow: \(methods.lowercased())" }, "\(lines)")
            }
        }
    }
}
