import Glibc
import TLS
import TestSupport
import Testing

@testable import Configuration

/// Files of certificates with the usual mistakes: errors at their place, or warnings.
@Suite struct TLSFileTests {
    private func run(_ body: (TLSSettingsTests.Bench) throws -> Void) async throws {
        try await TemporaryFolder.run { try body(TLSSettingsTests.Bench($0)) }
    }

    private static let clients = "tls:\n    certificates: { chain: server.pem, key: server.key }\n    clients: "

    @Test func wrongOrder_saysWhatToPutFirst() async throws {
        try await run { bench in
            let intermediate = try TestAuthority("Company Intermediate", below: bench.authority)
            let leaf = try intermediate.issue(.init(commonName: "localhost"))
            try bench.write("chain.pem", intermediate.certificate + leaf.certificate)
            try bench.write("chain.key", leaf.key)
            #expect(
                bench.mistakes(chain: "chain.pem", key: "chain.key")
                    == [
                        "t:6:28: `chain`: `chain.pem` begins with the certificate of CN=Company Intermediate, an authority; the "
                            + "key belongs to certificate 2 (CN=localhost): put it first"
                    ])
        }
    }

    @Test func exchangedFiles_andWeakKeys_areNamed() async throws {
        try await run { bench in
            #expect(
                bench.mistakes(chain: "server.key", key: "server.pem")
                    == [
                        "t:6:28: `chain`: `server.key` has a private key and no certificate: `chain` and `key` are exchanged"
                    ])
            #expect(
                throws: ValueError(
                    "--tls-cert: `\(bench.folder)/server.key` has a private key and no certificate: --tls-cert and --tls-key "
                        + "are exchanged")
            ) { try TLSSettings(chain: bench.folder + "/server.key", key: bench.folder + "/server.pem", scope: "") }
            var request = TestAuthority.Request()
            request.key = .rsa(1024)
            let weak = try bench.authority.issue(request)
            try bench.write("weak.pem", weak.certificate)
            try bench.write("weak.key", weak.key)
            #expect(
                bench.mistakes(chain: "weak.pem", key: "weak.key")
                    == ["t:6:28: `chain`: `weak.pem` has an RSA key of 1024 bits; at least 2048 is needed"])
        }
    }

    /// The first bytes of a certificate, of a PKCS #12 file and of a key in DER form.
    @Test func binaryFiles_areRecognised_withTheCommandThatConvertsThem() async throws {
        try await run { bench in
            let rest = [UInt8](repeating: 7, count: 100)
            try bench.write("a.der", [0x30, 0x82, 1, 0, 0x30, 0x81, 200] + rest)
            try bench.write("a.p12", [0x30, 0x82, 1, 0, 0x02, 1, 3] + rest)
            try bench.write("a.k", [0x30, 0x77, 0x02, 1, 1] + rest)
            func path(_ name: String) -> String { "\(bench.folder)/\(name)" }
            func mistake(_ chain: String, _ key: String) -> String {
                do throws(ValueError) {
                    _ = try TLSSettings(chain: path(chain), key: path(key), scope: "")
                    return ""
                } catch {
                    return error.message.replacing(bench.folder + "/", with: "")
                }
            }
            #expect(
                mistake("a.der", "server.key")
                    == "--tls-cert: `a.der` is a certificate in DER form; convert it to PEM: openssl x509 -inform der -in a.der "
                    + "-out a.pem")
            #expect(
                mistake("a.p12", "server.key")
                    == "--tls-cert: `a.p12` is a PKCS #12 file; convert it to PEM, which has the certificate and the key: openssl "
                    + "pkcs12 -in a.p12 -nodes -out a.pem")
            #expect(
                mistake("server.pem", "a.k")
                    == "--tls-key: `a.k` is a private key in DER form; convert it to PEM: openssl pkey -inform der -in a.k -out "
                    + "a.pem")
            #expect(bench.mistakes("upstream_tls: { ca: a.der }").first?.contains("openssl x509 -inform der") == true)
            #expect(mistake("server.pem", "ca.pem").hasSuffix("`ca.pem` has no private key in PEM form"))
        }
    }

    // MARK: Authorities

    @Test func leafAsAuthority_isRefused_withItsPin() async throws {
        try await run { bench in
            let text = try ConfigurationFile.read(bench.folder + "/server.pem", onlyPlainFiles: true)
            let key = try ConfigurationFile.read(bench.folder + "/server.key", onlyPlainFiles: true)
            let pin = try TLSCredential(chain: text, key: key).certificate.pin
            let words =
                "`server.pem` is not an authority but the certificate of localhost, issued by CN=Test CA: write the file of "
                + "that authority"
            #expect(
                bench.mistakes("upstream_tls: { ca: server.pem }")
                    == ["t:5:23: `ca`: \(words); for this certificate alone write `verify: pin` and `pins: [\(pin)]`"])
            #expect(
                bench.mistakes(Self.clients + "{ ca: server.pem }")
                    == ["t:7:20: `ca`: \(words); for this certificate alone write `allow: { spki: [\(pin)] }`, too"])
            #expect(
                throws: ValueError(
                    "--tls-ca: \(words.replacing("server.pem", with: bench.folder + "/server.pem")), or in a configuration for "
                        + "this certificate alone write `verify: pin` and `pins: [\(pin)]`")
            ) { try UpstreamTLSSettings(authorities: .file(bench.folder + "/server.pem"), isVerified: true) }
        }
    }

    /// What OpenSSL accepts as the end of a chain is accepted.
    @Test func selfSignedLeaf_isItsOwnAuthority_andAnIntermediateOneIsNot() async throws {
        try await run { bench in
            var request = TestAuthority.Request(commonName: "self")
            request.isSelfSigned = true
            try bench.write("self.pem", bench.authority.issue(request).certificate)
            #expect(bench.mistakes("upstream_tls: { ca: self.pem }") == [])
            let intermediate = try TestAuthority("Intermediate", below: bench.authority)
            try bench.write("i.pem", intermediate.certificate)
            #expect(
                bench.mistakes("upstream_tls: { ca: i.pem }")
                    == [
                        "t:5:23: `ca`: `i.pem` has no root: the authority CN=Intermediate was issued by CN=Test CA, whose "
                            + "certificate is missing; append it"
                    ])
            try bench.write("both.pem", intermediate.certificate + bench.authority.certificate)
            #expect(bench.mistakes("upstream_tls: { ca: both.pem }") == [])
        }
    }

    @Test func listOfAnotherAuthority_isRefused() async throws {
        try await run { bench in
            let other = try TestAuthority("Other CA")
            _ = try other.issue()
            try bench.write("other.crl", other.revokeLast())
            #expect(
                bench.mistakes(Self.clients + "{ ca: ca.pem, crl: other.crl }")
                    == [
                        "t:7:33: `crl`: `other.crl` has no list of CN=Test CA, whose every certificate would be refused; it has "
                            + "a list of CN=Other CA"
                    ])
            // The root of an intermediate authority needs no list of its own.
            let intermediate = try TestAuthority("Intermediate", below: bench.authority)
            _ = try intermediate.issue()
            try bench.write("both.pem", bench.authority.certificate + intermediate.certificate)
            try bench.write("i.crl", intermediate.revokeLast())
            #expect(bench.mistakes(Self.clients + "{ ca: both.pem, crl: i.crl }") == [])
        }
    }

    @Test func allowedNames_thatMatchNothing_areRefused() async throws {
        try await run { bench in
            #expect(
                bench.mistakes(Self.clients + "{ ca: ca.pem, allow: { dns: [\"we*.internal\", \"*.*\"] } }")
                    == [
                        "t:7:43: `dns`: `we*.internal` matches no name: `*` stands for one whole part between dots, such as "
                            + "*.internal or *.*.internal"
                    ])
        }
    }

    // MARK: Warnings

    @Test func expiredAuthority_saysWhatFollows() async throws {
        try await run { bench in
            let old = try TestAuthority("Old CA", valid: -20 ... -10)
            try bench.write("old.pem", old.certificate)
            let now = Int64(time(nil))
            let warnings = try bench.read(Self.clients + "{ ca: old.pem }\n  upstream_tls: { ca: old.pem }").warnings(
                at: now)
            let expired = warnings.filter { $0.contains("expired at ") }
            #expect(expired.count == 1)
            #expect(expired.first?.hasPrefix("t:7:20: relay a: \(bench.folder)/old.pem expired at 20") == true)
            #expect(expired.first?.hasSuffix(": every client certificate is refused") == true)
        }
    }

    /// The warnings about a pair of files, without the place, the relay and the folder.
    private func warnings(
        _ bench: TLSSettingsTests.Bench, _ chain: [UInt8], _ key: [UInt8], ofUpstream: Bool = false
    ) throws -> [String] {
        try bench.write("a.pem", chain)
        try bench.write("a.key", key)
        let pair = "{ chain: a.pem, key: a.key }"
        let settings =
            ofUpstream ? "upstream_tls: { ca: ca.pem, certificate: \(pair) }" : "tls: { certificates: \(pair) }"
        let start = "\(bench.folder)/a.pem "
        return try bench.read(settings).warnings(at: Int64(time(nil))).map { warning in
            String(warning[(warning.firstRange(of: start)?.upperBound ?? warning.startIndex)...])
        }
    }

    @Test func chains_thatPeersMayRefuse_areWarnings() async throws {
        try await run { bench in
            let intermediate = try TestAuthority("Intermediate", below: bench.authority)
            let leaf = try intermediate.issue(.init(commonName: "a"))
            #expect(
                try warnings(bench, leaf.certificate, leaf.key)
                    == [
                        "has no certificate of the issuer CN=Intermediate: clients refuse the connection without it; append it, "
                            + "unless it is a root that they have"
                    ])
            let chain = leaf.certificate + intermediate.certificate
            #expect(try warnings(bench, chain + bench.authority.certificate, leaf.key) == [])
            let other = try TestAuthority("Other CA").certificate
            #expect(
                try warnings(bench, chain + other + bench.authority.certificate, leaf.key)
                    == ["has an unrelated certificate: certificate 3 (CN=Other CA) has issued no other one"])
            var request = TestAuthority.Request(commonName: "self")
            request.isSelfSigned = true
            let own = try bench.authority.issue(request)
            #expect(try warnings(bench, own.certificate, own.key) == [])
        }
    }

    @Test func certificates_ofAnotherUse_areWarnings() async throws {
        try await run { bench in
            func issue(_ usage: String?, isAuthority: Bool = false) throws -> TestAuthority.Issued {
                var request = TestAuthority.Request(commonName: "a")
                request.usage = usage
                request.isAuthority = isAuthority
                let issued = try bench.authority.issue(request)
                return .init(certificate: issued.certificate + bench.authority.certificate, key: issued.key)
            }
            func warnings(_ issued: TestAuthority.Issued, ofUpstream: Bool = false) throws -> [String] {
                try self.warnings(bench, issued.certificate, issued.key, ofUpstream: ofUpstream)
            }
            let (client, server) = (try issue("clientAuth"), try issue("serverAuth"))
            let noServer = "is not for servers: its extended key usage has no serverAuth, so that clients refuse it"
            #expect(try warnings(client) == [noServer])
            #expect(try warnings(server) == [])
            let noClient =
                "is not for clients: its extended key usage has no clientAuth, so that the upstream refuses it"
            #expect(try warnings(server, ofUpstream: true) == [noClient])
            #expect(try warnings(client, ofUpstream: true) == [])
            #expect(
                try warnings(issue(nil, isAuthority: true))
                    == [
                        "is the certificate of an authority (CA:TRUE), which some programs refuse as that of a server; issue "
                            + "another one for the server"
                    ])
        }
    }
}
