import Foundation
import Testing

/// STARTTLS of SMTP and IMAP, with Python's clients and `openssl s_client`.
@Suite(.needs("openssl", "python3"))
struct TLSMailTests {
    private static let results = ["smtp": "\"sent\": true", "imap": "\"listed\": \"3\""]

    /// The client begins TLS, the server has none, or both, or only the server.
    @Test(arguments: ["smtp", "imap"], ["client", "upstream", "both"])
    func mail_passes(protocolName: String, side: String) async throws {
        try await scene { scene in
            _ = try scene.authority(for: "front.example", "back.example")
            var settings: [String] = []
            if side != "upstream" {
                settings.append(
                    "tls: { certificates: { chain: front.crt, key: front.key }, starttls: \(protocolName) }")
            }
            if side != "client" {
                settings.append(
                    "upstream_tls: { ca: ca.crt, server_name: back.example, starttls: \(protocolName) }")
            }
            let certificate = side == "client" ? [] : [scene.path("back")]
            let server = try await scene.listening(
                try scene.start(Scene.peer("mail.py") + ["serve", protocolName] + certificate))
            let tapline = try await scene.secure(upstream: server, settings.joined(separator: "\n    "))
            let authority = side == "upstream" ? [] : [scene.path("ca.crt")]
            let said = try await scene.run(
                Scene.peer("mail.py") + ["client", protocolName, tapline.address] + authority)
            #expect(said.contains(try #require(Self.results[protocolName])), "\(said)")
            if side != "upstream" {
                let client = try scene.openSSLClient(tapline, ["-starttls", protocolName])
                try await client.output.line(containing: "Verification: OK")
                client.finishInput()
                try await client.exit()
            }
            let record = try await tapline.records()[0]
            #expect((record.tls != nil) == (side != "upstream") && (record.upstreamTls != nil) == (side != "client"))
            // A client that closes with close_notify unread resets the connection.
            #expect(record.reason.hasSuffix("_closed") || record.reason == "client_reset", "\(record)")
            // Python may close without close_notify.
            #expect(record.tlsFault?.hasSuffix("ended its stream without close_notify") ?? true, "\(record)")
            try await tapline.stop()
        }
    }

    @Test func server_withoutSTARTTLS_isNamed() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            _ = try scene.authority()
            let server = try await scene.listening("mail.py", "serve", "smtp")
            let tapline = try await scene.secure(
                upstream: server, "upstream_tls: { ca: ca.crt, server_name: back.example, starttls: smtp }")
            try await puppet.connect("client", to: tapline.address)
            #expect(try await puppet.receiveToEnd("client").end == "reset")
            #expect(try await tapline.records()[0].tlsFault == "the upstream does not offer TLS")
            #expect(try await scene.why().contains("The upstream does not offer TLS; the TLS handshake failed"))
            try await tapline.stop()
        }
    }
}
