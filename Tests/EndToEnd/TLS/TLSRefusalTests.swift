import Foundation
import TestSupport
import Testing

/// Every reason to refuse a peer: the end record says which side, why and what was presented, and `tapline why` the
/// same in sentences.
@Suite(.needs("openssl", "python3"))
struct TLSRefusalTests {
    /// Why a peer is refused, and what is said about it.
    struct Refusal: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var reason = "tls_certificate_refused"
        /// What `tls_fault` begins with, after its side, and contains.
        var fault: [String]
        /// What `why` contains in addition.
        var story: [String] = []
        /// The certificate that the peer presents; nil: none.
        var presented: Certificate? = Certificate()
        /// Options of s_server or s_client.
        var options: [String] = []
        /// The rest of `clients`.
        var clients = ""
    }

    /// What a certificate contains.
    struct Certificate: Sendable {
        var name = "peer.example"
        var days = -1...30
        var bits: Int?
        var usage: String?
        /// Who signs it.
        var signer = Signer.authority

        enum Signer: Sendable {
            case authority, other, itself
        }

        func issue(by authority: TestAuthority) throws -> TestAuthority.Issued {
            var request = TestAuthority.Request(commonName: name, names: ["DNS:\(name)"])
            (request.firstDay, request.lastDay) = (days.lowerBound, days.upperBound)
            if let bits { request.key = .rsa(bits) }
            request.usage = usage
            request.isSelfSigned = signer == .itself
            return try (signer == .other ? TestAuthority("Other CA") : authority).issue(request)
        }
    }

    private static let refused = "presented a certificate that is refused: "
    private static let names = "presented: CN=peer.example, names peer.example, issued by CN="

    /// What both sides' certificates may suffer from. `usage` is the other side's.
    private static func certificates(usage: String) -> [Refusal] {
        [
            Refusal(
                testDescription: "expired",
                fault: [refused + "certificate has expired since 20", names, "(alert sent: certificate_expired)"],
                presented: Certificate(days: -30 ... -1)),
            Refusal(
                testDescription: "not yet valid",
                fault: [refused + "certificate is not yet valid", names, "required: a time from 20"],
                presented: Certificate(days: 2...30)),
            Refusal(
                testDescription: "unknown authority",
                fault: [
                    refused + "unable to get local issuer certificate", names + "Other CA", "unknown_ca)",
                    "required: the certificate of its issuer CN=Other CA: the ", " sent 1 certificate, ",
                ],
                presented: Certificate(signer: .other)),
            Refusal(
                testDescription: "self-signed",
                fault: [refused + "self-signed certificate", "CN=peer.example, names peer.example, self-issued"],
                presented: Certificate(signer: .itself)),
            Refusal(
                testDescription: "wrong key usage",
                fault: [refused + "unsuitable certificate purpose", names, "required: the key usage"],
                presented: Certificate(usage: usage)),
            Refusal(
                testDescription: "weak key",
                fault: [refused + "EE certificate key too weak", names, "required: a key of RSA 2048"],
                presented: Certificate(bits: 1024), options: ["-cipher", "DEFAULT@SECLEVEL=0"]),
        ]
    }

    static let upstreams =
        certificates(usage: "clientAuth") + [
            Refusal(
                testDescription: "wrong name", fault: [refused + "hostname mismatch", "required: peer.example"],
                presented: Certificate(name: "other.example")),
            Refusal(
                testDescription: "no shared version", reason: "tls_handshake_failed",
                fault: ["sent the alert protocol_version"], story: ["share a version"],
                options: ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]),
            Refusal(
                testDescription: "no shared cipher suite", reason: "tls_handshake_failed",
                fault: ["sent the alert handshake_failure"], story: ["share a version and a cipher suite"],
                options: ["-tls1_2", "-cipher", "AES128-SHA"]),
        ]

    static let clients =
        certificates(usage: "serverAuth") + [
            Refusal(
                testDescription: "revoked", fault: [refused + "certificate revoked", names],
                clients: ", crl: revoked.crl"),
            Refusal(
                testDescription: "no certificate",
                fault: ["sent no certificate, and one is required (alert sent: certificate_required)"], presented: nil),
            Refusal(
                testDescription: "name not allowed",
                fault: [refused + "none of its names is allowed", names, "required: one of dns *.internal"],
                clients: ", allow: { dns: [\"*.internal\"] }"),
            Refusal(
                testDescription: "no shared version", reason: "tls_handshake_failed",
                fault: [
                    "cannot speak TLS with Tapline: no version in common (unsupported protocol) (alert sent: protocol_version)"
                ],
                story: ["share a version"], options: ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]),
            Refusal(
                testDescription: "no shared cipher suite", reason: "tls_handshake_failed",
                fault: [
                    "cannot speak TLS with Tapline: no cipher suite in common (no shared cipher) (alert sent: handshake_failure)"
                ],
                story: ["share a version and a cipher suite"], options: ["-tls1_2", "-cipher", "AES128-SHA"]),
        ]

    @Test(arguments: upstreams) func upstream_thatIsRefused_isExplained(refusal: Refusal) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let authority = try scene.authority()
            try scene.store(try #require(refusal.presented).issue(by: authority), as: "peer")
            let server = try await scene.openSSLServer("peer", refusal.options)
            let tapline = try await scene.secure(
                upstream: server.address, "upstream_tls: { ca: ca.crt, server_name: peer.example }")
            try await puppet.connect("client", to: tapline.address)
            #expect(try await puppet.receiveToEnd("client").end == "reset")
            try await expect(refusal, by: "upstream", at: tapline, in: scene)
        }
    }

    @Test(arguments: clients) func client_thatIsRefused_isExplained(refusal: Refusal) async throws {
        try await scene { scene in
            let authority = try scene.authority(for: "front.example")
            let issued = try refusal.presented?.issue(by: authority)
            if let issued { try scene.store(issued, as: "peer") }
            _ = try scene.file("revoked.crl", String(decoding: authority.revokeLast(), as: UTF8.self))
            let upstream = try await scene.listening("secure.py", "echo")
            let tapline = try await scene.secure(
                upstream: upstream,
                "tls: { certificates: { chain: front.crt, key: front.key }, clients: { ca: ca.crt\(refusal.clients) } }"
            )
            let own = issued == nil ? [] : ["-cert", scene.path("peer.crt"), "-key", scene.path("peer.key")]
            let client = try scene.openSSLClient(tapline, own + refusal.options)
            // With TLS 1.3 the refusal comes after the client's handshake.
            try await client.exit()
            try await expect(refusal, by: "client", at: tapline, in: scene)
        }
    }

    private func expect(_ refusal: Refusal, by side: String, at tapline: TaplineProcess, in scene: Scene) async throws {
        let record = try await tapline.records()[0]
        #expect(record.reason == refusal.reason && record.closedBy == side, "\(record)")
        let fault = record.tlsFault ?? ""
        #expect(fault.hasPrefix("the \(side) \(refusal.fault[0])"), "\(fault)")
        let story = try await scene.why(record.id)
        let key = side == "client" ? "tls" : "upstream_tls"
        for words in refusal.fault + refusal.story + ["The settings are in `\(key)` of relay secure."] {
            #expect(
                words.hasPrefix("The ") || refusal.story.contains(words) || fault.contains(words), "\(words): \(fault)")
            #expect(story.contains(words), "\(words): \(story)")
        }
        try await tapline.stop()
    }
}
