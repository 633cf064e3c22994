import Foundation
import Testing

/// Recordings that include the encrypted legs and their keys, as Wireshark and `tapline show` read them.
@Suite(.needs("curl", "mergecap", "nginx", "openssl", "python3", "tshark"))
struct EncryptedRecordingTests {
    private func requests(
        in path: String, _ scene: Scene, filter: String = "http.request.method == GET"
    ) async throws -> [String] {
        try await scene.interfaces(in: path, where: filter)
    }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    /// The relay has the upstream's port, so that the plaintext and the encrypted leg would have the same ones.
    @Test(arguments: [["--tls-max", "1.2"], []], [false, true])
    func tshark_decryptsBothLegs_andShowHasAllThree(options: [String], hasSamePort: Bool) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let port = try await scene.secureNginx([(name: "first", names: ["a.example"])], puppet)[0]
            try await scene.certify("front", for: ["front.example"])
            let tapline = try await scene.run(
                relays: """
                      - name: web
                        listen: 127.0.0.2:\(hasSamePort ? port : 0)
                        upstream: 127.0.0.1:\(port)
                        tls: { certificates: { chain: front.crt, key: front.key } }
                        upstream_tls: { ca: first.crt, server_name: a.example }
                        record: { directory: recordings, encrypted: true }
                    """)
            let answer = try await scene.run(
                ["curl", "-sS", "--noproxy", "*", "--cacert", scene.path("front.crt"), "--http1.1"] + options
                    + ["--connect-to", "::\(tapline.address)", "https://front.example/"])
            #expect(answer.hasPrefix("first a.example "))
            let record = try #require(try await tapline.records().first)
            // Relayed bytes are counted once.
            #expect(record.recordedBytes == record.bytesUp + record.bytesDown && record.droppedBytes == 0)
            try await tapline.stop()
            let path = try #require(try scene.recordings(in: scene.path("recordings")).first)
            #expect(try mode(path) == 0o600)
            let found = try await requests(in: path, scene)
            #expect(found.sorted() == ["web", "web (encrypted, client)", "web (encrypted, upstream)"])
            #expect(try await requests(in: path, scene, filter: "http.response.code == 200").sorted() == found.sorted())
            let comments = try await scene.run(
                "tshark", "-r", path, "-Y", "frame.comment contains \"TLS established\"", "-T", "fields", "-e",
                "frame.comment")
            #expect(comments.contains("side=client tls=\"TLSv1.\(options.isEmpty ? 3 : 2) "), "\(comments)")
            #expect(comments.contains("side=upstream tls=\"TLSv1.3 "), "\(comments)")
            #expect(comments.contains("server_name=front.example") && comments.contains("took_us="), "\(comments)")

            let summary = try await scene.run(TaplineProcess.binary, "show", path)
            for text in ["  web  ", "web (encrypted, client)", "web (encrypted, upstream)", "HTTP GET / 200"] {
                #expect(summary.contains(text), "\(summary)")
            }
            #expect(summary.split(separator: "\n").count == 4, "\(summary)")
            let plain = try await scene.run(TaplineProcess.binary, "show", path, "1", "--format", "text")
            #expect(plain.contains("GET / HTTP/1.1") && !plain.contains("\\x16\\x03"), "\(plain)")
            let leg = try await scene.run(
                TaplineProcess.binary, "show", path, "1", "--format", "text", "--leg", "upstream")
            #expect(leg.contains("\\x16\\x03\\x01") && !leg.contains("GET / HTTP/1.1"), "\(leg)")
        }
    }

    /// The connection is open across files: each has its keys, and merged they are decrypted.
    @Test func rotation_repeatsTheKeysOfOpenConnections() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            try await scene.certify("front", for: ["front.example"])
            let tapline = try await scene.run(
                relays: """
                      - name: web
                        listen: 127.0.0.1:0
                        upstream: \(upstream)
                        tls: { certificates: { chain: front.crt, key: front.key } }
                        record: { directory: recordings, encrypted: true, rotate: { size: 256KiB, every: 0, keep: 0 } }
                    """)
            let client = try scene.start([
                "openssl", "s_client", "-connect", tapline.address, "-CAfile", scene.path("front.crt"), "-quiet",
                "-no_ign_eof", "-verify_return_error",
            ])
            try await puppet.accept("b", from: "upstream")
            client.write("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 1500000\r\n\r\n"
            try await puppet.send("b", head + String(repeating: "x", count: 1_499_999) + "\n")
            _ = try await client.output.first(1) { $0.contains("xxx") }
            client.write("GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
            try await puppet.send("b", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
            _ = try await client.output.first(1) { $0 == "ok" }
            client.finishInput()
            try await puppet.finish("b")
            _ = try await client.exit()
            _ = try await tapline.records()
            try await tapline.stop()
            let paths = try scene.recordings(in: scene.path("recordings"))
            // The text of the key log is in a file as it is, where the file has packets of the leg.
            let keys = Data("CLIENT_TRAFFIC_SECRET_0 ".utf8)
            let count = try paths.count { try Data(contentsOf: URL(fileURLWithPath: $0)).range(of: keys) != nil }
            #expect(count > 2, "\(count) of \(paths.count) files have keys")
            let merged = scene.path("merged.pcapng")
            try await scene.run(["mergecap", "-w", merged] + paths)
            #expect(
                try await requests(in: merged, scene).sorted() == [
                    "web", "web", "web (encrypted, client)", "web (encrypted, client)",
                ])
            let summary = try await scene.run([TaplineProcess.binary, "show"] + paths)
            #expect(summary.split(separator: "\n").count == 3, "\(summary)")
        }
    }

    /// A failed handshake is what such a recording is often made for: it has a leg, and no plaintext.
    @Test func clientThatDoesNotTrust_isInTheRecording() async throws {
        try await scene { scene in
            try await scene.certify("front", for: ["front.example"])
            let tapline = try await scene.run(
                relays: """
                      - name: web
                        listen: 127.0.0.1:0
                        upstream: 127.0.0.1:1
                        tls: { certificates: { chain: front.crt, key: front.key } }
                        record: { directory: recordings, encrypted: true }
                    """)
            let client = try scene.start([
                "openssl", "s_client", "-connect", tapline.address, "-verify_return_error",
            ])
            client.finishInput()
            _ = try await client.exit()
            #expect(try await tapline.records().first?.reason == "tls_certificate_refused")
            try await tapline.stop()
            let path = try #require(try scene.recordings(in: scene.path("recordings")).first)
            let shown = try scene.start([TaplineProcess.binary, "show", path, "1", "--format", "text"])
            #expect(try await shown.exit() != .exited(0))
            #expect(
                shown.errors.all.first?.contains(
                    "connection 1 has no plaintext, because its handshake failed (tls_certificate_refused); see --leg client"
                )
                    == true, "\(shown.errors.all)")
            for arguments in [["1"], []] {
                let why = try await scene.run([TaplineProcess.binary, "why", path] + arguments)
                #expect(why.contains("A certificate was refused in the TLS handshake with the client"), "\(why)")
            }
            let absent = try scene.start([TaplineProcess.binary, "show", path, "1", "--leg", "upstream"])
            #expect(try await absent.exit() != .exited(0))
            #expect(absent.errors.all.first?.hasSuffix("legs: client") == true, "\(absent.errors.all)")
        }
    }

    /// Keys are written for those relays that say so, whatever is in the environment.
    @Test func keyLog_decryptsACapture_andIsWrittenOnlyOnRequest() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let port = try await scene.secureNginx([(name: "first", names: ["localhost"])], puppet)[0]
            let keys = scene.path("keys.log")
            for isWanted in [false, true] {
                let tapline = try await scene.forward(
                    "127.0.0.1:0=tls:localhost:\(port)",
                    options: ["--tls-ca", scene.path("first.crt")] + (isWanted ? ["--tls-keylog"] : []),
                    before: ["env", "SSLKEYLOGFILE=\(keys)"])
                let page = try await scene.run(
                    "curl", "-sS", "--noproxy", "*", "-H", "Host: localhost", "http://127.0.0.1:\(tapline.port)/")
                #expect(page.hasPrefix("first localhost"))
                _ = try await tapline.records()
                let line = try await tapline.program.errors.first(1) {
                    $0.contains("SSLKEYLOGFILE") || $0.contains(keys)
                }
                #expect(line[0].contains(isWanted ? "anyone who can read" : "SSLKEYLOGFILE is ignored"), "\(line)")
                try await tapline.stop()
                #expect(FileManager.default.fileExists(atPath: keys) == isWanted)
            }
            #expect(try mode(keys) == 0o600)
            let lines = try String(contentsOfFile: keys, encoding: .utf8).split(separator: "\n")
            #expect(lines.count == 5 && lines.allSatisfy { $0.split(separator: " ").count == 3 }, "\(lines)")
        }
    }

    /// A file that cannot be written is a warning, and the connection does not notice.
    @Test func keyLogThatCannotBeWritten_isAWarning() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let port = try await scene.secureNginx([(name: "first", names: ["localhost"])], puppet)[0]
            let tapline = try await scene.forward(
                "127.0.0.1:0=tls:localhost:\(port)", options: ["--tls-ca", scene.path("first.crt"), "--tls-keylog"],
                before: ["env", "SSLKEYLOGFILE=\(scene.path("missing/keys.log"))"])
            for _ in 0..<2 {
                let page = try await scene.run(
                    "curl", "-sS", "--noproxy", "*", "-H", "Host: localhost", "http://127.0.0.1:\(tapline.port)/")
                #expect(page.hasPrefix("first localhost"))
            }
            _ = try await tapline.records(2)
            try await tapline.stop()
            #expect(tapline.program.errors.all.filter { $0.contains("TLS keys cannot be written") }.count == 1)
        }
    }

    @Test func liveStream_hasTheEncryptedLeg_onlyIfAsked() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let port = try await scene.secureNginx([(name: "first", names: ["localhost"])], puppet)[0]
            let admin = "unix:" + scene.path("admin.sock")
            let tapline = try await scene.run(
                relays: """
                      - name: web
                        listen: 127.0.0.1:0
                        upstream: localhost:\(port)
                        upstream_tls: { ca: first.crt }
                    """, more: "admin: { listen: \"\(admin)\" }")
            for isAsked in [false, true] {
                let path = scene.path("live-\(isAsked).pcapng")
                let command = "tail --admin \(admin) --format pcapng" + (isAsked ? " --encrypted" : "")
                let tail = try scene.start(["sh", "-c", "exec \(TaplineProcess.binary) \(command) > \(path)"])
                try await scene.eventually("the stream begins") {
                    (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int).map { $0 > 0 } ?? false
                }
                let page = try await scene.run(
                    "curl", "-sS", "--noproxy", "*", "-H", "Host: localhost", "http://127.0.0.1:\(tapline.port)/")
                #expect(page.hasPrefix("first localhost"))
                let expected = isAsked ? ["web", "web (encrypted, upstream)"] : ["web"]
                try await scene.eventually("the connection is in the stream") {
                    try await requests(in: path, scene).sorted() == expected
                }
                try await tail.send(SIGINT)
                _ = try await tail.exit()
            }
            try await tapline.stop()
        }
    }

    @Test func encrypted_onARelayWithoutTLS_isAnError() async throws {
        try await scene { scene in
            let config = try scene.file(
                "plain.yaml",
                "relays:\n  - { name: web, listen: 0, upstream: \"localhost:1\", record: { encrypted: true } }\n")
            let check = try scene.start([TaplineProcess.binary, "check", config])
            #expect(try await check.exit() != .exited(0))
            let said = (check.errors.all + check.output.all).joined(separator: " ")
            #expect(said.contains("nothing is encrypted"), "\(said)")
            let forward = try scene.start([
                TaplineProcess.binary, "forward", "0:localhost:1", "--record", scene.path("a.pcapng"),
                "--record-encrypted",
            ])
            #expect(try await forward.exit() == .exited(64))
            #expect(forward.errors.all.joined(separator: " ").contains("nothing is encrypted"))
        }
    }
}
