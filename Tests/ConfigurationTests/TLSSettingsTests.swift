import Glibc
import TLS
import TestSupport
import Testing

@testable import Configuration

/// `tls` and `upstream_tls`: files that are read and checked when the configuration is.
@Suite struct TLSSettingsTests {
    /// A folder with a certificate, its key, and another key.
    struct Bench {
        let folder: String
        let authority: TestAuthority

        init(_ folder: String) throws {
            self.folder = folder
            authority = try TestAuthority()
            try write("ca.pem", authority.certificate)
            try issue("server")
            try write("other.key", authority.issue().key)
            var old = TestAuthority.Request()
            (old.firstDay, old.lastDay) = (-20, -10)
            let expired = try authority.issue(old)
            try write("expired.pem", expired.certificate)
            try write("expired.key", expired.key)
        }

        func issue(_ name: String) throws {
            let issued = try authority.issue()
            try write("\(name).pem", issued.certificate)
            try write("\(name).key", issued.key)
        }

        func write(_ name: String, _ bytes: [UInt8]) throws {
            guard let file = fopen("\(folder)/\(name)", "w") else { throw TestFailure("\(name) cannot be written") }
            defer { fclose(file) }
            guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw TestFailure("\(name)") }
        }

        private func text(_ settings: String) -> ConfigurationText {
            ConfigurationText(
                path: "t", directory: folder,
                bytes: Array("relays:\n- name: a\n  listen: 1\n  upstream: b:1\n  \(settings)\n".utf8))
        }

        func read(_ settings: String) throws(ConfigurationErrors) -> Configuration {
            try Configuration.parse(text(settings), environment: [:]).configuration
        }

        func mistakes(_ settings: String, readsCertificates: Bool = true) -> [String] {
            do throws(ConfigurationErrors) {
                _ = try Configuration.parse(text(settings), environment: [:], readsCertificates: readsCertificates)
                return []
            } catch {
                return error.problems.map { $0.description.replacing(folder + "/", with: "") }
            }
        }

        /// The mistakes of a certificate and a key, which are both in line 6.
        func mistakes(chain: String, key: String) -> [String] {
            mistakes("tls:\n    certificates: { chain: \(chain), key: \(key) }")
        }
    }

    private func run(_ body: (Bench) throws -> Void) async throws {
        try await TemporaryFolder.run { try body(Bench($0)) }
    }

    @Test func settings_haveTheirDefaults_andAContext() async throws {
        try await run { bench in
            let relay = try bench.read(
                "tls: { certificates: { chain: server.pem, key: server.key } }\n  upstream_tls: { ca: ca.pem }"
            ).relays[0]
            let tls = try #require(relay.tls)
            #expect(tls.certificates == [.init(chain: bench.folder + "/server.pem", key: bench.folder + "/server.key")])
            #expect(tls.loaded != nil)
            #expect(tls.clients == nil && tls.session == TLSSessionSettings())
            let session = tls.session
            #expect((session.minimum, session.handshake, session.truncation) == (.tls12, .seconds(10), .pass))
            let upstream = try #require(relay.upstreamTLS)
            #expect(upstream.loaded != nil)
            #expect((upstream.verify, upstream.serverName) == (.full, nil))
            #expect(upstream.authorities == .file(bench.folder + "/ca.pem"))
            #expect(relay.secretFiles.count == 3)
        }
    }

    @Test func settings_areRead() async throws {
        try await run { bench in
            let pin = "sha256/" + String(repeating: "A", count: 43) + "="
            let relay = try bench.read(
                """
                tls:
                    certificates: [{ chain: server.pem, key: server.key }, { chain: server.pem, key: server.key }]
                    clients: { ca: ca.pem, require: false, allow: { dns: ["*.internal"], uri: a, cn: [b], spki: "\(pin)" } }
                    minimum: "1.3"
                    alpn: [h2, http/1.1]
                    handshake: 3s
                    truncation: reset
                  upstream_tls: { verify: pin, pins: "\(pin)", server_name: B.Example, certificate: { chain: server.pem, key: server.key } }
                """
            ).relays[0]
            let tls = try #require(relay.tls)
            #expect(tls.certificates.count == 2)
            #expect(tls.clients?.isRequired == false)
            #expect(
                tls.clients?.allowed
                    == TLSAllowList(dns: ["*.internal"], uri: ["a"], commonNames: ["b"], pins: [pin]))
            let session = tls.session
            #expect((session.minimum, session.handshake, session.truncation) == (.tls13, .seconds(3), .reset))
            #expect(tls.session.applications == ["h2", "http/1.1"])
            let upstream = try #require(relay.upstreamTLS)
            #expect((upstream.verify, upstream.pins, upstream.serverName) == (.pin, [pin], "b.example"))
            #expect(upstream.certificate?.chain == bench.folder + "/server.pem")
        }
    }

    @Test func certificatesOfALocalAuthority_areForForwardOnly() async throws {
        try await run { bench in
            #expect(
                bench.mistakes("tls: { certificates: auto }")
                    == [
                        "t:5:24: `certificates`: `auto` is only for `tapline forward --tls-cert auto`; write files, such as "
                            + "{ chain: server.pem, key: server.key }"
                    ])
        }
    }

    @Test func files_areChecked_withLineAndColumn() async throws {
        try await run { bench in
            #expect(
                bench.mistakes(chain: "none.pem", key: "server.key")
                    == ["t:6:28: `chain`: `none.pem` cannot be read: No such file or directory"])
            #expect(
                bench.mistakes(chain: "server.pem", key: "other.key")
                    == [
                        "t:6:45: `key`: `other.key` does not match the certificate of localhost: it belongs to another one"
                    ])
            #expect(
                bench.mistakes(chain: "server.key", key: "server.key")
                    == ["t:6:28: `chain`: `server.key` has no certificate in PEM form"])
            let expired = bench.mistakes(chain: "expired.pem", key: "expired.key")
            #expect(expired.count == 1)
            #expect(expired[0].hasPrefix("t:6:28: `chain`: `expired.pem` has a certificate that expired at 20"))
            #expect(
                bench.mistakes("upstream_tls: { ca: none.pem }")
                    == ["t:5:23: `ca`: `none.pem` cannot be read: No such file or directory"])
        }
    }

    @Test func files_areNotRead_byCommandsThatDoNotNeedThem() async throws {
        try await run { bench in
            #expect(
                bench.mistakes(
                    "tls: { certificates: { chain: none.pem, key: none.key } }\n  upstream_tls: { ca: none.pem }",
                    readsCertificates: false) == [])
        }
    }

    @Test func renewedFile_isADifference_andTheSameContentIsNone() async throws {
        try await run { bench in
            let settings = "tls: { certificates: { chain: server.pem, key: server.key } }"
            let before = try bench.read(settings)
            #expect(ConfigurationDifference(from: before, to: try bench.read(settings)).isEmpty)
            try bench.issue("server")
            let difference = ConfigurationDifference(from: before, to: try bench.read(settings))
            #expect(difference.changed.map(\.relay) == ["a"])
            #expect(difference.changed[0].settings.map(\.key) == ["tls.certificates"])
            let without = ConfigurationDifference(from: before, to: try bench.read("max_connections: 10000"))
            #expect(without.changed[0].settings.map(\.key) == ["tls"])
        }
    }

    /// Both sides read and compare what they share in the same way.
    @Test(arguments: ["tls", "upstream_tls"])
    func sessionSettings_areReadAndCompared_onEachSide(_ side: String) async throws {
        try await run { bench in
            let own = side == "tls" ? "certificates: { chain: server.pem, key: server.key }" : "verify: off"
            func read(_ more: String) throws -> Configuration {
                try bench.read("\(side): { \(own)\(more.isEmpty ? "" : ", ")\(more) }")
            }
            let before = try read("")
            var expected = TLSSessionSettings()
            for (text, words, change) in Self.sessionTable {
                let after = try read(text)
                let relay = after.relays[0]
                var settings = TLSSessionSettings()
                change(&settings)
                #expect((side == "tls" ? relay.tls?.session : relay.upstreamTLS?.session) == settings)
                let difference = ConfigurationDifference(from: before, to: after)
                #expect(difference.words == "changed a: " + words.replacing("SIDE", with: side))
                change(&expected)
            }
            let all = try read(Self.sessionTable.map(\.text).joined(separator: ", ")).relays[0]
            #expect((side == "tls" ? all.tls?.session : all.upstreamTLS?.session) == expected)
        }
    }

    private typealias Change = @Sendable (inout TLSSessionSettings) -> Void
    private static let sessionTable: [(text: String, words: String, change: Change)] = [
        ("minimum: '1.3'", "SIDE.minimum 1.2 → 1.3", { $0.minimum = .tls13 }),
        ("alpn: [h2, a]", "SIDE.alpn none → h2, a", { $0.applications = ["h2", "a"] }),
        ("starttls: smtp", "SIDE.starttls none → smtp", { $0.startTLS = .smtp }),
        ("handshake: 3s", "SIDE.handshake 10s → 3s", { $0.handshake = .seconds(3) }),
        ("truncation: reset", "SIDE.truncation pass → reset", { $0.truncation = .reset }),
    ]

    @Test func otherMistakes_areNamed() async throws {
        try await run { bench in
            #expect(bench.mistakes("tls: { minimum: '1.3' }") == ["t:5:8: `tls` has no `certificates`"])
            #expect(
                bench.mistakes("upstream_tls: { verify: pin }")
                    == [
                        "t:5:17: `upstream_tls`: `verify: pin` needs at least one of `pins`, such as sha256/… in Base64"
                    ])
            #expect(
                bench.mistakes("upstream_tls: { verify: off, ca: ca.pem }")
                    == ["t:5:36: `ca`: nothing is compared with it: `verify` is `off`"])
            #expect(
                bench.mistakes("upstream_tls: { verify: off, pins: abc }")
                    == [
                        "t:5:38: `pins`: `abc` is no pin; write sha256/ and the Base64 of the public key's SHA-256 (44 "
                            + "characters)"
                    ])
            #expect(bench.mistakes("upstream_tls: { verify: off, handshake: 1ms }").count == 1)
        }
    }

    @Test func keys_needTLS() async throws {
        try await run { bench in
            #expect(
                bench.mistakes("tls_keylog: true")
                    == ["t:5:15: `tls_keylog`: there are no keys: write `tls` or `upstream_tls`, or remove this"])
            #expect(
                bench.mistakes("record: { encrypted: true }")
                    == [
                        "t:5:11: `record`: nothing is encrypted: `encrypted` needs `tls` or `upstream_tls`; remove it, or "
                            + "add one of them"
                    ])
            #expect(try bench.read("tls_keylog: false\n  record: { encrypted: false }").relays[0].record != nil)
            let relay = try bench.read(
                "upstream_tls: { verify: off }\n  tls_keylog: true\n  record: { encrypted: true }"
            ).relays[0]
            #expect(relay.writesKeyLog && relay.record?.includesEncrypted == true)
        }
    }

    @Test func expiries_areTheFirstOfEachFile_andNotTheSystemsAuthorities() async throws {
        try await run { bench in
            _ = try bench.authority.issue()
            try bench.write("crl.pem", bench.authority.revokeLast())
            var request = TestAuthority.Request()
            request.lastDay = 5
            let short = try bench.authority.issue(request)
            // The chain is as good as its first certificate to expire.
            try bench.write("server.pem", try Self.read(bench.folder + "/server.pem") + short.certificate)
            let relay = try bench.read(
                "tls: { certificates: { chain: server.pem, key: server.key }, clients: { ca: ca.pem, crl: crl.pem } }\n"
                    + "  upstream_tls: { ca: ca.pem }"
            ).relays[0]
            #expect(relay.expiries.map(\.file) == ["server.pem", "ca.pem", "crl.pem"].map { "\(bench.folder)/\($0)" })
            #expect(relay.expiries.map(\.kind) == [.certificate, .authority, .revocationList])
            let now = Int64(time(nil))
            let days = relay.expiries.map { Int((Double($0.seconds - now) / 86_400).rounded()) }
            #expect(days == [5, 30, 1])
            #expect(try bench.read("upstream_tls: { verify: off }").relays[0].expiries.isEmpty)
        }
    }

    @Test func expirySoon_andAnUpstreamThatIsNotVerified_areWarnings() async throws {
        try await run { bench in
            let server = "tls: { certificates: { chain: server.pem, key: server.key } }"
            let configuration = try bench.read(server + "\n  upstream_tls: { verify: off }")
            let end = try #require(configuration.relays[0].expiries.first).seconds
            let unverified =
                "relay a does not verify its upstream's certificate: any machine on the way can pretend to be the upstream"
            let start = "t:5:33: relay a: \(bench.folder)/server.pem"
            let issuer =
                "\(start) has no certificate of the issuer CN=Test CA: clients refuse the connection without it; append it, "
                + "unless it is a root that they have"
            #expect(configuration.warnings(at: end - 14 * 86_400) == [unverified, issuer])
            #expect(
                configuration.warnings(at: end - 14 * 86_400 + 1)
                    == [
                        unverified,
                        "\(start) expires at \(TLSCertificate.date(end)); from then on clients refuse the relay's certificate",
                        issuer,
                    ])
            #expect(
                configuration.warnings(at: end)
                    == [
                        unverified,
                        "\(start) expired at \(TLSCertificate.date(end)): clients refuse the relay's certificate",
                        issuer,
                    ])
            let verified = try bench.read(server + "\n  upstream_tls: { ca: ca.pem }")
            #expect(verified.warnings(at: end - 15 * 86_400) == [issuer])
        }
    }

    private static func read(_ path: String) throws -> [UInt8] {
        try ConfigurationFile.read(path, onlyPlainFiles: true, most: 1 << 20)
    }

    @Test func mistakesOfRevocationLists_areReportedAtTheirKey() async throws {
        try await run { bench in
            let clients =
                "tls:\n    certificates: { chain: server.pem, key: server.key }\n    clients:\n      ca: ca.pem\n"
            #expect(
                bench.mistakes(clients + "      crl: ca.pem")
                    == ["t:9:12: `crl`: `ca.pem` has no revocation list in PEM form"])
        }
    }

    // MARK: At the desk

    @Test func spec_saysWhichSideSpeaksTLS() throws {
        func relay(_ spec: String) throws -> RelaySettings { try ForwardSpec.relays([spec], directory: "/")[0] }
        let upstream = try relay("8080=tls:api.example.com:443")
        #expect(upstream.upstream == .name("api.example.com", port: 443))
        #expect(upstream.tls == nil && upstream.upstreamTLS != nil)
        let client = try relay("tls:8443=localhost:8080")
        #expect(client.name == "8443")
        #expect(client.tls != nil && client.upstreamTLS == nil)
        let both = try relay("tls:127.0.0.1:8443=tls:10.0.0.1:443")
        #expect(both.tls != nil && both.upstreamTLS != nil)
        #expect(throws: ForwardSpecErrors.self) { try relay("8080=tls:unix:/run/a") }
        #expect(throws: ForwardSpecErrors.self) { try relay("8080=tls:requested") }
    }

    @Test func files_ofOptions_areChecked() async throws {
        try await run { bench in
            let chain = bench.folder + "/server.pem"
            #expect(try TLSSettings(chain: chain, key: bench.folder + "/server.key", scope: "").loaded != nil)
            #expect(
                throws: ValueError(
                    "--tls-key: `\(bench.folder)/other.key` does not match the certificate of localhost: it "
                        + "belongs to another one")
            ) { try TLSSettings(chain: chain, key: bench.folder + "/other.key", scope: "") }
            #expect(
                throws: ValueError("--tls-cert: `\(bench.folder)/x` cannot be read: No such file or directory")
            ) { try TLSSettings(chain: bench.folder + "/x", key: bench.folder + "/other.key", scope: "") }
            let upstream = try UpstreamTLSSettings(authorities: .file(bench.folder + "/ca.pem"), isVerified: true)
            #expect(upstream.loaded != nil)
            #expect(try UpstreamTLSSettings(authorities: .system, isVerified: false).verify == .off)
            #expect(
                throws: ValueError("--tls-ca: `\(bench.folder)/server.key` has no certificate in PEM form")
            ) { try UpstreamTLSSettings(authorities: .file(bench.folder + "/server.key"), isVerified: true) }
        }
    }
}
