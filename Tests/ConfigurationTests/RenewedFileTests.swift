import TLS
import TestSupport
import Testing

@testable import Configuration

/// Differences of the content of files that `tls` and `upstream_tls` name.
struct RenewedFileTests {
    /// A folder with files, and an authority that renews them.
    private struct Bench {
        let folder: String
        let authority: TestAuthority

        init(_ folder: String) throws {
            self.folder = folder
            authority = try TestAuthority()
            try write("ca.pem", authority.certificate)
            try issue("server", lastDay: 20)
        }

        func write(_ name: String, _ bytes: [UInt8]) throws {
            try Files.write(String(decoding: bytes, as: UTF8.self), to: "\(folder)/\(name)")
        }

        func issue(_ name: String, lastDay: Int) throws {
            var request = TestAuthority.Request()
            request.lastDay = lastDay
            let issued = try authority.issue(request)
            try write("\(name).pem", issued.certificate)
            try write("\(name).key", issued.key)
        }

        func read(_ settings: String) throws -> Configuration {
            let bytes = Array("relays:\n- name: a\n  listen: 1\n  upstream: b:1\n  \(settings)\n".utf8)
            let text = ConfigurationText(path: "t", directory: folder, bytes: bytes)
            return try Configuration.parse(text, environment: [:]).configuration
        }

        /// The differences of the only relay after a change of its files.
        func differences(
            _ settings: String, after change: () throws -> Void
        ) throws -> (before: Configuration, settings: [ConfigurationDifference.Setting], words: String) {
            let before = try read(settings)
            try change()
            let difference = ConfigurationDifference(from: before, to: try read(settings))
            return (before, difference.changed.first?.settings ?? [], difference.words)
        }

        func expiry(_ settings: String) throws -> String {
            TLSCertificate.date(try #require(try read(settings).relays[0].expiries.first).seconds)
        }
    }

    private func run(_ body: (Bench) throws -> Void) async throws {
        try await TemporaryFolder.run { try body(Bench($0)) }
    }

    private static let server = "certificates: { chain: server.pem, key: server.key }"

    @Test func certificate_isNamedWithItsDates_andItsKeyWithoutOne() async throws {
        try await run { bench in
            let settings = "tls: { \(Self.server) }"
            let old = try bench.expiry(settings).prefix(10)
            let (_, differences, words) = try bench.differences(settings) { try bench.issue("server", lastDay: 40) }
            let new = try bench.expiry(settings).prefix(10)
            let content = "server.pem (renewed: expires \(new), was \(old)), server.key (changed)"
            #expect(words == "changed a: tls.certificates: \(content)")
            let files = "\(bench.folder)/server.pem, \(bench.folder)/server.key"
            #expect(differences == [.init(key: "tls.certificates", old: files, new: files, content: content)])
        }
    }

    @Test func sameContent_isNoDifference() async throws {
        try await run { bench in
            let both = "tls: { \(Self.server) }\n  upstream_tls: { ca: ca.pem }"
            let words = try bench.differences(both) {}.words
            #expect(words == "nothing")
        }
    }

    @Test func certificateThatExpiresEarlier_isChanged_notRenewed() async throws {
        try await run { bench in
            let words = try bench.differences("tls: { \(Self.server) }") { try bench.issue("server", lastDay: 9) }.words
            #expect(words.hasPrefix("changed a: tls.certificates: server.pem (changed: expires "), "\(words)")
        }
    }

    @Test func expiryWithinTheSameSecond_isAsBefore_andWithinADayHasTheTime() {
        let day: Int64 = 1_800_000_000 / 86_400 * 86_400
        func words(_ old: Int64, _ new: Int64) -> String? {
            func loaded(_ seconds: Int64, _ digest: UInt8) -> LoadedTLS<Int> {
                LoadedTLS(
                    0, files: [LoadedFile(path: "/x/a.pem", digest: [digest])],
                    expiries: [TLSExpiry(file: "/x/a.pem", kind: .certificate, seconds: seconds)])
            }
            var comparison = SettingComparison()
            comparison.addContent([RelayKey.tls], of: ["/x/a.pem"], loaded(old, 1), loaded(new, 2))
            return comparison.settings.first?.content
        }
        #expect(words(day, day) == "a.pem (changed: expires 2027-01-15, as before)")
        #expect(
            words(day + 3600, day + 7200)
                == "a.pem (renewed: expires 2027-01-15T02:00:00Z, was 2027-01-15T01:00:00Z)")
        #expect(words(day - 1, day) == "a.pem (renewed: expires 2027-01-15, was 2027-01-14)")
    }

    @Test func authoritiesAndLists_areReportedAtTheirKeys() async throws {
        try await run { bench in
            _ = try bench.authority.issue()
            try bench.write("crl.pem", bench.authority.revokeLast())
            let settings =
                "tls: { \(Self.server), clients: { ca: ca.pem, crl: crl.pem } }\n"
                + "  upstream_tls: { ca: ca.pem, certificate: { chain: server.pem, key: server.key } }"
            let renewed = try bench.differences(settings) {
                _ = try bench.authority.issue()
                try bench.write("crl.pem", bench.authority.revokeLast())
            }
            #expect(renewed.settings.map(\.key) == ["tls.clients.crl"])
            #expect(renewed.words.contains("tls.clients.crl: crl.pem ("))
            let all = try bench.differences(settings) {
                try bench.write("ca.pem", TestAuthority().certificate + bench.authority.certificate)
                try bench.issue("server", lastDay: 40)
            }
            #expect(
                all.settings.map(\.key) == [
                    "tls.certificates", "tls.clients.ca", "upstream_tls.certificate", "upstream_tls.ca",
                ])
            #expect(all.words.contains("upstream_tls.ca: ca.pem (changed"), "\(all.words)")
        }
    }

    @Test func renewal_isReported_withAChangedSetting() async throws {
        try await run { bench in
            let before = try bench.read("tls: { \(Self.server) }")
            try bench.issue("server", lastDay: 40)
            let after = try bench.read("tls: { \(Self.server), minimum: '1.3' }")
            let difference = ConfigurationDifference(from: before, to: after)
            #expect(difference.changed[0].settings.map(\.key) == ["tls.minimum", "tls.certificates"])
        }
    }

    @Test func manyFiles_areBounded_andSameNamesHavePaths() {
        let files = (1...6).map { "/etc/certificates/\($0)/tls.crt" }
        func loaded(_ digest: UInt8) -> LoadedTLS<Int> {
            LoadedTLS(0, files: files.map { LoadedFile(path: $0, digest: [digest]) })
        }
        var comparison = SettingComparison()
        comparison.addContent([RelayKey.tls], of: files, loaded(1), loaded(2))
        #expect(
            comparison.settings.first?.content
                == files.prefix(4).map { "\($0) (changed)" }.joined(separator: ", ") + " and 2 more")
    }
}
