import Foundation
import TestSupport
import Testing

/// The `openssl` program as the client and as the server: versions, resumption, KeyUpdate, client certificates and
/// alerts.
@Suite(.needs("curl", "openssl", "python3"))
struct TLSOpenSSLTests {
    @Test(arguments: [("-tls1_2", "TLSv1.2 ECDHE-ECDSA-"), ("-tls1_3", "TLSv1.3 TLS_")])
    func client_ofEachVersion_isAnswered_andResumesItsSession(option: String, parameters: String) async throws {
        try await scene { scene in
            _ = try scene.authority(for: "front.example")
            let upstream = try await scene.listening("secure.py", "echo")
            let tapline = try await scene.secure(upstream: upstream, Scene.frontTLS)
            for (number, files) in [["-sess_out"], ["-sess_in"]].enumerated() {
                let client = try scene.openSSLClient(tapline, option, files[0], scene.path("session"))
                client.write("hello\n")
                try await client.output.line(containing: "hello")
                // The ticket of TLS 1.3 comes before the answer.
                client.write("Q\n")
                try await client.exit()
                let said = client.output.all.joined(separator: "\n")
                #expect(said.contains(number == 0 ? "New, TLSv1." : "Reused, TLSv1."), "\(said)")
                #expect(said.contains("Verification: OK"))
            }
            let records = try await tapline.records(2)
            for record in records {
                #expect(record.tls?.hasPrefix(parameters) == true && record.tlsFault == nil)
                #expect(record.bytesUp == 6 && record.bytesDown == 6)
            }
            try await tapline.stop()
        }
    }

    /// s_client sends a KeyUpdate for `k`, and asks for one of the server with it for `K`.
    @Test func client_updatesItsKeys() async throws {
        try await scene { scene in
            _ = try scene.authority(for: "front.example")
            let upstream = try await scene.listening("secure.py", "echo")
            let tapline = try await scene.secure(upstream: upstream, Scene.frontTLS)
            let client = try scene.openSSLClient(tapline, "-tls1_3")
            for (number, command) in ["k", "K", "K"].enumerated() {
                client.write("before \(number)\n")
                try await client.output.line(containing: "before \(number)")
                client.write("\(command)\n")
                _ = try await client.errors.first(number + 1) { $0.contains("KEYUPDATE") }
                client.write("after \(number)\n")
                try await client.output.line(containing: "after \(number)")
            }
            client.write("Q\n")
            try await client.exit()
            #expect(try await tapline.records()[0].tlsFault == nil)
            try await tapline.stop()
        }
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"]) func client_withACertificate_isNamedInTheRecord(version: String)
        async throws
    {
        try await scene { scene in
            let authority = try scene.authority(for: "front.example")
            try scene.store(authority.issue(.init(names: ["URI:spiffe://corp/web"])), as: "client")
            let upstream = try await scene.listening("secure.py", "echo")
            let tapline = try await scene.secure(
                upstream: upstream,
                "tls: { certificates: { chain: front.crt, key: front.key }, clients: { ca: ca.crt } }")
            // The second session is a resumed one, and has the identity all the same.
            for file in ["-sess_out", "-sess_in"] {
                let client = try scene.openSSLClient(
                    tapline, version, "-cert", scene.path("client.crt"), "-key", scene.path("client.key"), file,
                    scene.path("session"))
                client.write("hello\n")
                try await client.output.line(containing: "hello")
                client.write("Q\n")
                try await client.exit()
            }
            #expect(try await tapline.records(2).map(\.tlsPeer) == ["spiffe://corp/web", "spiffe://corp/web"])
            try await tapline.stop()
        }
    }

    /// s_server's status page says whether a session was resumed, and what the client's certificate is.
    @Test(arguments: [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
    func server_resumesTheRelaysSession_andSeesItsCertificate(option: String, version: String) async throws {
        try await scene { scene in
            _ = try scene.authority(for: "back.example", "relay.example")
            let server = try await scene.openSSLServer(
                "back", [option, "-www", "-Verify", "1", "-verify_return_error", "-CAfile", scene.path("ca.crt")])
            let tapline = try await scene.secure(
                upstream: server.address,
                "upstream_tls: { ca: ca.crt, server_name: back.example, "
                    + "certificate: { chain: relay.crt, key: relay.key } }")
            var pages: [String] = []
            for _ in 0..<2 {
                pages.append(
                    try await scene.run(
                        "curl", "-sS", "--max-time", "60", "--noproxy", "*", "http://\(tapline.address)/"))
            }
            #expect(pages[0].contains("New, \(version)"), "\(pages[0])")
            #expect(pages[1].contains("Reused, \(version)"), "\(pages[1])")
            #expect(pages[0].contains("relay.example"))
            for record in try await tapline.records(2) {
                #expect(record.upstreamTls?.hasPrefix("\(version) ") == true)
                #expect(record.upstreamTlsPeer == "back.example")
            }
            try await tapline.stop()
        }
    }

    @Test func server_updatesItsKeys() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            _ = try scene.authority(for: "back.example")
            let server = try await scene.openSSLServer("back", ["-tls1_3"])
            let tapline = try await scene.secure(
                upstream: server.address, "upstream_tls: { ca: ca.crt, server_name: back.example }")
            try await puppet.connect("client", to: tapline.address)
            try await puppet.send("client", "first\n")
            try await server.program.output.line(containing: "first")
            for (number, command) in ["k", "K", "K"].enumerated() {
                server.program.write("\(command)\n")
                // It reports the update, but prints that only with the next line of the client.
                try await scene.eventually("s_server updates its keys") {
                    try await puppet.send("client", "ping\n")
                    return server.program.output.all.filter { $0.hasPrefix("SSL_do_handshake -> 1") }.count > number
                }
                server.program.write("down \(number)\n")
                #expect(try await puppet.receive("client", count: 7).text == "down \(number)\n")
                try await puppet.send("client", "up \(number)\n")
                try await server.program.output.line(containing: "up \(number)")
            }
            try await puppet.close("client")
            let record = try await tapline.records()[0]
            #expect(record.reason.hasPrefix("client_") && record.bytesDown == 21, "\(record)")
            try await tapline.stop()
        }
    }

    /// The client does not trust Tapline's certificate.
    @Test(arguments: ["-tls1_2", "-tls1_3"]) func client_thatRefusesTheCertificate_isNamed(version: String) async throws
    {
        try await scene { scene in
            _ = try scene.authority(for: "front.example")
            try scene.store(try TestAuthority("Other CA"), as: "ca")
            let upstream = try await scene.listening("secure.py", "echo")
            let tapline = try await scene.secure(upstream: upstream, Scene.frontTLS)
            let client = try scene.openSSLClient(tapline, version)
            #expect(try await client.exit() != .exited(0))
            let record = try await tapline.records()[0]
            #expect(record.reason == "tls_certificate_refused" && record.closedBy == "client")
            #expect(record.tlsFault == "the client sent the alert unknown_ca")
            let story = try await scene.why()
            #expect(story.contains("The client sent the alert unknown_ca"), "\(story)")
            try await tapline.stop()
        }
    }

    /// Alerts that no handshake in order has, from the upstream: the name of each is in the record.
    @Test(arguments: [
        (40, "handshake_failure", "tls_handshake_failed"), (80, "internal_error", "tls_handshake_failed"),
        (86, "inappropriate_fallback", "tls_handshake_failed"), (112, "unrecognized_name", "tls_handshake_failed"),
        (120, "no_application_protocol", "tls_handshake_failed"), (49, "access_denied", "tls_certificate_refused"),
        (99, "99", "tls_handshake_failed"), (255, "255", "tls_handshake_failed"),
    ])
    func alert_ofAnyNumber_isNamed(number: Int, name: String, reason: String) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            _ = try scene.authority(for: "back.example")
            let upstream = try await scene.listening(
                "hostile_tls.py", "upstream", scene.path("back"), "alert-\(number)")
            let tapline = try await scene.secure(
                upstream: upstream, "upstream_tls: { ca: ca.crt, server_name: back.example }")
            try await puppet.connect("client", to: tapline.address)
            #expect(try await puppet.receiveToEnd("client").end == "reset")
            let record = try await tapline.records()[0]
            #expect(record.reason == reason && record.closedBy == "upstream")
            #expect(record.tlsFault == "the upstream sent the alert \(name)")
            try await tapline.stop()
        }
    }

    /// A warning before the ServerHello ends nothing.
    @Test func warning_isTolerated() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            _ = try scene.authority(for: "back.example")
            let upstream = try await scene.listening("hostile_tls.py", "upstream", scene.path("back"), "warning")
            let tapline = try await scene.secure(
                upstream: upstream, "upstream_tls: { ca: ca.crt, server_name: back.example }")
            try await puppet.connect("client", to: tapline.address)
            try await puppet.send("client", "hello")
            #expect(try await puppet.receive("client", count: 5).text == "hello")
            try await puppet.close("client")
            try await tapline.stop()
        }
    }

    /// Python's ssl on both sides: every byte there, the end, and then every byte of the answer, in both versions.
    @Test func python_getsEveryByteBothWays_andEachHalfEndsByItself() async throws {
        try await scene(.heavy) { scene in
            _ = try scene.authority(for: "front.example", "back.example", "client.example", "relay.example")
            let server = try await scene.listening("secure.py", "serve", scene.path("back"), scene.path("ca.crt"))
            let tapline = try await scene.secure(
                upstream: server,
                "tls: { certificates: { chain: front.crt, key: front.key }, clients: { ca: ca.crt } }",
                "upstream_tls: { ca: ca.crt, server_name: back.example, "
                    + "certificate: { chain: relay.crt, key: relay.key } }")
            let client = try scene.start(
                Scene.peer("secure.py") + [
                    "transfer", scene.path("ca.crt"), "front.example", scene.path("client"),
                ])
            let sizes = [0, 1, 16_384, 16_385, 20_000_000]
            for version in ["1.2", "1.3"] {
                for size in sizes { client.write("\(tapline.address) \(version) \(size)\n") }
                let lines = try await client.output.first(sizes.count) { $0.contains("\"TLSv\(version)\"") }
                #expect(lines.allSatisfy { $0.contains("\"whole\": true") }, "\(lines)")
            }
            let records = try await tapline.records(2 * sizes.count)
            #expect(records.map(\.bytesUp) == (sizes + sizes).map { UInt64($0) })
            #expect(records.allSatisfy { $0.tlsPeer == "client.example" && $0.tlsFault == nil })
            #expect(records.allSatisfy { $0.upstreamTlsPeer == "back.example" && $0.reason == "client_closed" })
            try await tapline.stop()
        }
    }
}
