import Foundation
import Testing

/// Relays that speak TLS, with the programs that people use.
@Suite(.needs("curl", "nginx", "openssl", "python3"))
struct TLSTests {
    /// curl speaks TLS with Tapline, and Tapline with nginx: the record has both sessions, and the recording the
    /// plaintext.
    @Test func curlAndNginx_throughTwoSessions_andTheRecordingIsReadable() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let port = try await scene.secureNginx([(name: "first", names: ["a.example"])], puppet)[0]
            try await scene.certify("front", for: ["front.example"])
            let tapline = try await scene.run(
                relays: """
                      - name: https
                        listen: 127.0.0.1:0
                        upstream: 127.0.0.1:\(port)
                        tls: { certificates: { chain: front.crt, key: front.key } }
                        upstream_tls: { ca: first.crt, server_name: a.example }
                        record: { directory: recordings }
                    """)
            let answer = try await scene.ask("front.example", at: tapline.port, trusting: "front", "--http1.1")
            #expect(answer.prefix(4) == ["first", "a.example", "HTTP/1.1", "TLSv1.3"])
            let older = try await scene.ask(
                "front.example", at: tapline.port, trusting: "front", "--http1.1", "--tls-max", "1.2")
            #expect(older.first == "first")
            let records = try await tapline.records(2)
            #expect(records[0].tls?.hasPrefix("TLSv1.3 TLS_") == true)
            #expect(records[1].tls?.hasPrefix("TLSv1.2 ECDHE-ECDSA-") == true)
            for record in records {
                #expect(record.upstreamTls?.hasPrefix("TLSv1.3 TLS_") == true)
                #expect(record.upstreamTlsPeer == "a.example")
                #expect(record.tlsPeer == nil)
                // curl may close without close_notify.
                #expect(record.tlsFault?.hasSuffix("ended its stream without close_notify") ?? true)
                #expect(record.reason.hasSuffix("_closed"))
                #expect(record.recordedBytes == record.bytesUp + record.bytesDown && record.droppedBytes == 0)
            }
            try await tapline.stop()
            let folder = scene.path("recordings")
            let file = try #require(FileManager.default.contentsOfDirectory(atPath: folder).first)
            let shown = try await scene.run(TaplineProcess.binary, "show", "\(folder)/\(file)")
            #expect(shown.contains("GET /"), "\(shown)")
        }
    }

    /// TLS 1.2 resumes by a ticket on every further connection.
    @Test func opensslClient_resumesItsSession() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            try await scene.certify("front", for: ["front.example"])
            let tapline = try await scene.run(
                relays: """
                      - name: secure
                        listen: 127.0.0.1:0
                        upstream: \(upstream)
                        tls: { certificates: { chain: front.crt, key: front.key } }
                    """)
            let output = try await scene.run(
                "openssl", "s_client", "-connect", tapline.address, "-CAfile", scene.path("front.crt"), "-servername",
                "front.example", "-verify_return_error", "-tls1_2", "-reconnect")
            #expect(output.components(separatedBy: "Reused, TLSv1.2").count == 6, "\(output)")
            #expect(output.contains("Secure Renegotiation IS supported"))
            try await tapline.stop()
        }
    }

    /// The name in the upstream's certificate is another one: the client is reset, and `why` says what was presented
    /// and what is required.
    @Test func wrongName_isExplained() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let port = try await scene.secureNginx([(name: "first", names: ["a.example"])], puppet)[0]
            let admin = scene.path("admin.sock")
            let tapline = try await scene.run(
                relays: """
                      - name: secure
                        listen: 127.0.0.1:0
                        upstream: 127.0.0.1:\(port)
                        upstream_tls: { ca: first.crt, server_name: other.example }
                    """, more: "admin: { listen: \"unix:\(admin)\" }")
            _ = try await puppet.connect("client", to: tapline.address)
            #expect(try await puppet.receiveToEnd("client").end == "reset")
            let record = try #require(try await tapline.records().first)
            #expect(record.reason == "tls_certificate_refused")
            #expect(record.closedBy == "upstream")
            #expect(record.tlsFault?.hasPrefix("the upstream presented a certificate that is refused: ") == true)
            let story = try await scene.run(TaplineProcess.binary, "why", "--admin", "unix:\(admin)", "1")
            let words = story.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(words.contains("hostname mismatch"), "\(words)")
            #expect(words.contains("names a.example"), "\(words)")
            #expect(words.contains("required: other.example"), "\(words)")
            try await tapline.stop()
        }
    }

    /// A renewed certificate takes effect without a signal, a broken one does not, and an open connection keeps its
    /// session.
    @Test func renewedCertificate_takesEffect_andABrokenOneDoesNot() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let port = try await scene.secureNginx([(name: "first", names: ["a.example"])], puppet)[0]
            try await scene.certify("front", for: ["front.example"])
            let tapline = try await scene.run(
                relays: """
                      - name: https
                        listen: 127.0.0.1:0
                        upstream: 127.0.0.1:\(port)
                        tls: { certificates: { chain: front.crt, key: front.key } }
                        upstream_tls: { ca: first.crt, server_name: a.example }
                    """)
            let open = try scene.start([
                "openssl", "s_client", "-connect", tapline.address, "-CAfile", scene.path("front.crt"), "-servername",
                "front.example", "-verify_return_error", "-quiet", "-no_ign_eof",
            ])
            try FileManager.default.copyItem(atPath: scene.path("front.crt"), toPath: scene.path("old.crt"))
            try await scene.certify("front", for: ["front.example"])
            // The files are watched.
            let line = try await tapline.program.errors.first(1) {
                $0.contains("generation 2") || $0.contains("\"generation\":2")
            }
            #expect(line[0].contains("tls.certificates: front.crt (") && line[0].contains("expires "), "\(line)")
            #expect(line[0].contains("front.key (changed)") && !line[0].contains("→"), "\(line)")
            let answer = try await scene.ask("front.example", at: tapline.port, trusting: "front", "--http1.1")
            #expect(answer.first == "first")
            // The key belongs to another certificate.
            try await scene.certify("other", for: ["front.example"])
            try FileManager.default.moveItem(atPath: scene.path("front.key"), toPath: scene.path("kept.key"))
            try FileManager.default.copyItem(atPath: scene.path("other.key"), toPath: scene.path("front.key"))
            _ = try await tapline.program.errors.first(1) { $0.contains("does not match the certificate") }
            #expect(
                try await scene.ask("front.example", at: tapline.port, trusting: "front", "--http1.1").first == "first")
            // With the key that is active, nothing is wrong any more.
            try FileManager.default.removeItem(atPath: scene.path("front.key"))
            try FileManager.default.moveItem(atPath: scene.path("kept.key"), toPath: scene.path("front.key"))
            _ = try await tapline.program.errors.first(1) {
                $0.contains("configuration unchanged; the problem is gone")
            }
            // The first connection has outlived both.
            open.write("GET / HTTP/1.0\r\nHost: a.example\r\n\r\n")
            _ = try await open.output.first(1) { $0.contains("first a.example") }
            open.finishInput()
            _ = try await open.exit()
            try await tapline.stop()
        }
    }

    @Test func forward_speaksTLS_onBothSides() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let port = try await scene.secureNginx([(name: "first", names: ["localhost"])], puppet)[0]
            try await scene.certify("front", for: ["front.example"])
            let tapline = try await scene.forward(
                "tls:127.0.0.1:0=tls:localhost:\(port)",
                options: [
                    "--tls-cert", scene.path("front.crt"), "--tls-key", scene.path("front.key"), "--tls-ca",
                    scene.path("first.crt"),
                ])
            let answer = try await scene.ask("front.example", at: tapline.port, trusting: "front", "--http1.1")
            #expect(answer.prefix(2) == ["first", "localhost"])
            #expect(try await tapline.stop().first?.upstreamTlsPeer == "localhost")
        }
    }

    @Test func forward_withoutItsFiles_saysWhatIsMissing() async throws {
        try await scene { scene in
            for (options, words) in [
                (["tls:0=localhost:1"], "--tls-cert and --tls-key are needed for a listener of the form tls:PORT"),
                (["0:localhost:1", "--tls-insecure"], "--tls-ca and --tls-insecure are for upstreams of the form"),
                (["0=tls:localhost:1", "--tls-ca", scene.path("none")], "cannot be read: No such file or directory"),
            ] {
                let program = try scene.start([TaplineProcess.binary, "forward"] + options)
                #expect(try await program.exit() == .exited(64))
                #expect(program.errors.all.joined(separator: " ").contains(words), "\(program.errors.all)")
            }
        }
    }
}
