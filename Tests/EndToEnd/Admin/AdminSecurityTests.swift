import Foundation
import TestSupport
import Testing

/// Which requests are refused, and the limits for malicious clients.
struct AdminSecurityTests {
    private static let options = ["--admin", "127.0.0.1:0"]

    @Test(.needs("python3", "curl")) func foreignHostsAndOrigins_areRefused() async throws {
        try await scene { scene in
            let tapline = try await scene.forward("127.0.0.1:0:127.0.0.1:1", options: Self.options)
            let admin = try await scene.admin(of: tapline)
            for path in ["/", "/healthz", "/metrics", "/v1/status"] {
                #expect(try await admin.ask("GET", path, headers: ["Host: evil.example"]).code == "foreign_host")
            }
            #expect(try await admin.ask("GET", "/v1/status", headers: ["Host:"]).code == "foreign_host")
            let foreign = "Origin: http://evil.example"
            #expect(try await admin.ask("POST", "/v1/drain", headers: [foreign]).code == "foreign_origin")
            #expect(try await admin.ask("OPTIONS", "/v1/drain", headers: [foreign]).code == "foreign_origin")
            let own = try await admin.ask("GET", "/v1/status", headers: ["Origin: http://\(admin.address)"])
            #expect(own.status == 200)
            let head = try await scene.run(["curl", "-si"] + admin.target("/v1/status"))
            #expect(!head.lowercased().contains("access-control-"))
            for path in ["/../../../etc/passwd", "/v1/%2e%2e/%2e%2e/etc/passwd", "/page.html", "//etc/passwd"] {
                #expect(try await admin.ask("GET", path).status == 404, "\(path)")
            }
            #expect(try await admin.ask("/readyz").status == 200)
            try await tapline.stop()
        }
    }

    @Test(
        .needs("python3", "curl"),
        arguments: [
            ("GET /v1/status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n", "400"),
            ("GET /v1/status HTTP/1.1\r\nHost: localhost\r\nhost: localhost\r\n", "400"),
            ("GET http://localhost/v1/status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n", "400"),
            ("GET http://evil.example/v1/status HTTP/1.1\r\nHost: localhost\r\n", "403"),
            ("GET http://localhost@evil.example/v1/status HTTP/1.1\r\nHost: localhost\r\n", "403"),
            ("GET http://localhost/v1/status HTTP/1.1\r\nHost: localhost\r\n", "200"),
            ("GET /v1/status HTTP/1.1\r\nHost: localhost:+80\r\n", "403"),
            ("GET /v1/connections/+1 HTTP/1.1\r\nHost: localhost\r\n", "404"),
        ])
    func requestThatCanBeReadTwoWays_isRefused(_ head: String, _ status: String) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward("127.0.0.1:0:127.0.0.1:1", options: Self.options)
            let admin = try await scene.admin(of: tapline)
            try await puppet.connect("client", to: admin.address)
            try await puppet.send("client", head + "Connection: close\r\n\r\n")
            #expect(try await puppet.receiveToEnd("client").text?.hasPrefix("HTTP/1.1 \(status) ") == true)
            try await tapline.stop()
        }
    }

    @Test(.needs("python3", "curl")) func bodyThatWaitsToBeAskedFor_isAskedForAtOnce_orRefused() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward("127.0.0.1:0:127.0.0.1:1", options: Self.options)
            let admin = try await scene.admin(of: tapline)
            let head = "Host: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
            try await puppet.connect("client", to: admin.address)
            try await puppet.send("client", "POST /v1/reload HTTP/1.1\r\n" + head)
            let interim = "HTTP/1.1 100 Continue\r\n\r\n"
            #expect(try await puppet.receive("client", count: interim.utf8.count).text == interim)
            try await puppet.send("client", "{}")
            #expect(try await puppet.receiveToEnd("client").text?.hasPrefix("HTTP/1.1 409 ") == true)
            try await puppet.connect("stranger", to: admin.address)
            try await puppet.send("stranger", "POST /nowhere HTTP/1.1\r\n" + head)
            #expect(try await puppet.receive("stranger", count: 12).text == "HTTP/1.1 404")
            try await tapline.stop()
        }
    }

    @Test(.needs("python3", "curl")) func bodiesAndHeadersThatAreTooLarge_areRefused() async throws {
        try await scene { scene in
            let tapline = try await scene.forward("127.0.0.1:0:127.0.0.1:1", options: Self.options)
            let admin = try await scene.admin(of: tapline)
            let body = try scene.file("body", String(repeating: "x", count: 70_000))
            #expect(try await admin.ask("POST", "/v1/reload", body: "@\(body)").code == "too_large")
            let large = "X: " + String(repeating: "x", count: 20_000)
            let refused = try await admin.ask("GET", "/v1/status", headers: [large])
            #expect(refused.status == 400 && refused.code == "bad_request")
            #expect(refused.body.contains("its header is longer than 16384 bytes"))
            #expect(try await admin.ask("/v1/status").status == 200)
            try await tapline.stop()
        }
    }

    @Test(.needs("python3", "curl")) func token_isAskedFor_andReadAgainFromItsFile() async throws {
        try await scene { scene in
            let token = try scene.file("token", "first-secret\n")
            chmod(token, 0o644)
            let tapline = try await scene.run(
                relays: "  - { name: web, listen: 127.0.0.1:0, upstream: 127.0.0.1:1 }",
                more: "admin: { listen: '0.0.0.0:0', token_file: \(token), hosts: [tapline.test] }")
            var admin = try await scene.admin(of: tapline)
            admin = AdminClient(
                scene: scene, address: admin.address.replacingOccurrences(of: "0.0.0.0", with: "127.0.0.1"))
            #expect(try await admin.ask("/v1/status").code == "unauthorized")
            #expect(try await admin.ask("/metrics").status == 401)
            try await admin.awaitHealth()
            #expect(try await admin.ask("/readyz").status == 200)
            #expect(try await admin.ask("/").status == 200)
            admin.token = "first-secret"
            #expect(try await admin.ask("GET", "/v1/status", headers: ["Host: tapline.test"]).status == 200)
            admin.token = "second-secret"
            #expect(try await admin.ask("/v1/status").status == 401)
            _ = try scene.file("token", "second-secret\n")
            let renewed = try await admin.await("the new token", "/v1/status") { $0.status == 200 ? $0 : nil }
            #expect(renewed.status == 200)
            #expect(!tapline.program.errors.all.contains { $0.contains("secret") })
            #expect(tapline.program.errors.all.count { $0.contains("every user of this machine can read") } == 1)
            try await tapline.stop()
        }
    }

    @Test func addressOffLoopback_needsAToken() async throws {
        try await scene { scene in
            let program = try scene.start([
                TaplineProcess.binary, "forward", "--admin", "*:0", "127.0.0.1:0:127.0.0.1:1",
            ])
            #expect(try await program.exit() == .exited(64))
            #expect(program.errors.all.contains { $0.contains("TAPLINE_ADMIN_TOKEN") })
            let path = try scene.file(
                "t.yaml",
                "admin: { listen: '*:0' }\nrelays:\n  - { name: web, listen: 127.0.0.1:0, upstream: 127.0.0.1:1 }\n")
            let check = try scene.start([TaplineProcess.binary, "check", path])
            #expect(try await check.exit() == .exited(78))
        }
    }

    /// An operator who set an invalid token must not get an API that requires none.
    @Test func variableThatIsNoToken_isRefused_whereverTheAPIListens() async throws {
        try await scene { scene in
            let relay = "relays:\n  - { name: web, listen: 127.0.0.1:0, upstream: 127.0.0.1:1 }\n"
            let local = try scene.file("local.yaml", "admin: { listen: 127.0.0.1:0 }\n" + relay)
            let remote = try scene.file("remote.yaml", "admin: { listen: '0.0.0.0:0' }\n" + relay)
            let forward = ["forward", "127.0.0.1:0:127.0.0.1:1", "--admin"]
            let attempts: [(words: [String], token: String, status: CInt)] = [
                (["run", "--config", local], "short", 71), (["run", "--config", remote], "short", 78),
                (["run", "--config", remote], "", 78), (["run", "--config", remote], "\n", 78),
                (forward + ["127.0.0.1:0"], "short", 71), (forward + ["*:0"], "short", 64), (forward + ["*:0"], "", 64),
            ]
            for (words, token, status) in attempts {
                let program = try scene.start(
                    [TaplineProcess.binary] + words, variables: ["TAPLINE_ADMIN_TOKEN": token])
                #expect(try await program.exit() == .exited(status), "\(words) \(token)")
                #expect(program.errors.all.contains { $0.contains("TAPLINE_ADMIN_TOKEN") }, "\(words) \(token)")
            }
        }
    }

    @Test(.needs("python3", "curl")) func variableWithANewline_isATokenThatIsAskedFor() async throws {
        try await scene { scene in
            let tapline = try await scene.forward(
                "127.0.0.1:0:127.0.0.1:1", options: Self.options,
                before: [
                    "sh", "-c",
                    "TAPLINE_ADMIN_TOKEN=\"$(printf 'good-token-1234\\nx')\"; "
                        + "TAPLINE_ADMIN_TOKEN=\"${TAPLINE_ADMIN_TOKEN%x}\" exec \"$0\" \"$@\"",
                ])
            var admin = try await scene.admin(of: tapline)
            #expect(try await admin.ask("/v1/status").code == "unauthorized")
            admin.token = "good-token-1234"
            #expect(try await admin.ask("/v1/status").status == 200)
            try await tapline.stop()
        }
    }

    @Test(.needs("python3", "curl")) func unixSocket_isItsOwnersOnly_andGoneAtTheEnd() async throws {
        try await scene { scene in
            let path = scene.path("admin.sock")
            let tapline = try await scene.forward("127.0.0.1:0:127.0.0.1:1", options: ["--admin", "unix:\(path)"])
            let admin = try await scene.admin(of: tapline)
            #expect(admin.address == "unix:\(path)")
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect(try await admin.ask("/v1/status").status == 200)
            try await tapline.stop()
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    /// Malicious clients delay neither the API's other clients nor the relay's.
    @Test(.needs("python3", "curl")) func fiveHundredBadClients_areBounded_andOthersServed() async throws {
        try await scene(.heavy) { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await puppet.listen("upstream"))", options: Self.options)
            let admin = try await scene.admin(of: tapline)
            let crowd = try scene.start(Scene.peer("crowd_http.py") + [admin.address, "500"])
            try await crowd.output.line(containing: "connected")
            #expect(try await admin.ask("/v1/status").status == 200)
            try await admin.awaitHealth()
            let open = try #require(try await admin.ask("/v1/status").json["descriptors"]?["open"]?.number)
            // The process's own descriptors, and the server's 64 clients.
            #expect(open < 64 + 64)
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            let hash = try await puppet.send("client", count: 2_000_000)
            #expect(try await puppet.receive("server", count: 2_000_000).sha256 == hash)
            crowd.finishInput()
            try await crowd.exit()
            #expect(try await admin.ask("/v1/connections").json["total"]?.number == 1)
            try await tapline.stop()
        }
    }

    /// More of them than the API has slots: refused before their bodies arrive, or accepted and awaited.
    @Test(.needs("python3", "curl"), arguments: [true, false])
    func bodiesThatDoNotArrive_keepNoClientOut(_ areRefused: Bool) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:127.0.0.1:1", options: Self.options,
                before: ["env", "TAPLINE_ADMIN_TOKEN=\(areRefused ? "good-token-1234" : "")"])
            let admin = try await scene.admin(of: tapline)
            for number in 0..<70 {
                try await puppet.connect("client \(number)", to: admin.address)
                try await puppet.send(
                    "client \(number)", "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
                if areRefused { try await puppet.receive("client \(number)", count: "HTTP/1.1 401".utf8.count) }
            }
            for _ in 0..<3 { try await admin.awaitHealth() }
            try await tapline.stop()
        }
    }

    @Test(.needs("python3", "curl", "prlimit")) func fewDescriptors_leaveRoomForTheAPI() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await puppet.listen("upstream"))", options: Self.options,
                before: ["prlimit", "--nofile=128"])
            let admin = try await scene.admin(of: tapline)
            // More clients than there are descriptors: the last of them wait in the kernel's queue.
            for number in 0..<80 { try await puppet.connect("client \(number)", to: tapline.address) }
            let paused = try Regex("tapline_accept_pauses_total\\{[^}]*\\} [1-9]")
            let metrics = try await admin.await("that accepting pauses", "/metrics") { answer in
                answer.body.contains(paused) ? answer : nil
            }
            #expect(metrics.status == 200)
            #expect(try await admin.ask("/v1/connections?limit=5").json["connections"]?.list.count == 5)
            try await tapline.stop()
        }
    }
}
