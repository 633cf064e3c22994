import Sockets
import Synchronization
import TestSupport
import Testing

@testable import TLS

/// The local authority, and the certificates that it issues for the names that clients send.
@Suite struct LocalAuthorityTests {
    private static let day: Int64 = 86_400
    private static let start: Int64 = 1_800_000_000

    /// A wall clock that a test sets.
    private final class Time: Sendable {
        private let seconds = Mutex(start)
        var now: Int64 { seconds.withLock { $0 } }
        func pass(days: Int64) { seconds.withLock { $0 += days * day } }
    }

    private static func authority(at now: Int64) throws -> (LocalAuthority, pem: [UInt8]) {
        let made = try LocalAuthority.make(owner: "user@host", at: now)
        return (try LocalAuthority(certificate: made.certificate, key: made.key, at: now), made.certificate)
    }

    private static func contexts(
        verify: TLSClientContext.Verification = .full
    ) throws -> (server: TLSServerContext, client: TLSClientContext) {
        let (authority, pem) = try authority(at: WallTime.now)
        return (
            try TLSServerContext(issuer: CertificateIssuer(authority), ticketKeys: TLSTicketKeys()),
            try TLSClientContext(verify: verify, trust: try TLSTrust(authorities: pem))
        )
    }

    @Test(arguments: ["a.example", "B.Example", "localhost", "under_score.internal", "xn--bcher-kva.example"])
    func client_getsACertificate_forItsServerName(_ name: String) throws {
        let (server, client) = try Self.contexts()
        let pair = try Pair(server, client, name: name)
        try pair.establish()
        #expect(pair.client.peerCertificate?.dnsNames == [name.lowercased()])
        #expect(pair.client.peerCertificate?.addresses == [])
        #expect(pair.server.serverName == name)
        #expect(pair.pass("hello", from: pair.client, to: pair.server) == "hello")
    }

    @Test func clientWithoutAServerName_getsTheNamesOfLoopback() throws {
        let (server, client) = try Self.contexts()
        for address in ["127.0.0.1", "::1"] {
            let pair = try Pair(server, client, name: address, isAddress: true)
            try pair.establish()
            #expect(pair.client.peerCertificate?.dnsNames == ["localhost"])
            #expect(pair.client.peerCertificate?.addresses == ["127.0.0.1", "0:0:0:0:0:0:0:1"])
        }
    }

    @Test func addressAsServerName_isAnAddressInTheCertificate() throws {
        let (server, client) = try Self.contexts(verify: .chain)
        let pair = try Pair(server, client, name: "192.0.2.7")
        try pair.establish()
        #expect(pair.client.peerCertificate?.dnsNames == [])
        #expect(pair.client.peerCertificate?.addresses == ["192.0.2.7"])
    }

    @Test(
        arguments: [
            "a b", "-a.example", "a-.example", "*.example", "a..example", ".", "a,DNS:b", "caf\u{E9}.example",
            String(repeating: "a", count: 64) + ".example", "[::1]",
        ])
    func nameThatNoCertificateCanHave_isRefusedWithAnAlert(_ name: String) throws {
        let (server, client) = try Self.contexts(verify: .chain)
        let pair = try Pair(server, client, name: name)
        let steps = try pair.shakeHands()
        let alert = TLSAlert(number: 112)
        let shown = OpenSSL.plain(name.utf8)
        #expect(steps.server == .refused(TLSFailure(.serverName(shown), sentAlert: alert)))
        #expect(steps.client == .refused(TLSFailure(.alert(alert))))
        #expect(
            pair.server.failure.map { "\($0)" }
                == "sent the server name `\(shown)`, which no certificate can have (alert sent: unrecognized_name)")
    }

    @Test func sessions_areResumed_withTheSameNameOnly() throws {
        let (server, client) = try Self.contexts()
        func connect(_ name: String) throws -> Bool {
            let pair = try Pair(server, client, name: name)
            try pair.establish()
            // The ticket comes with the first bytes.
            _ = pair.pass("x", from: pair.server, to: pair.client)
            return pair.client.isResumed
        }
        #expect(try connect("a.example") == false)
        #expect(try connect("a.example") == true)
        #expect(try connect("b.example") == false)
    }

    // MARK: Subjects

    @Test func subject_withoutAServerName_hasTheLocalAddress() {
        func names(_ local: SocketAddress?) -> String { CertificateIssuer.subject(nil, local: local).alternativeNames }
        let loopback = "DNS:localhost,IP:127.0.0.1,IP:::1"
        #expect(names(nil) == loopback)
        #expect(names(.unix(path: "/run/a.sock")) == loopback)
        #expect(names(.ipv4(.loopback, port: 1)) == loopback)
        #expect(names(SocketAddress(numericHost: "192.0.2.7", port: 1)) == loopback + ",IP:192.0.2.7")
        #expect(names(SocketAddress(numericHost: "2001:db8::1", port: 1)) == loopback + ",IP:2001:db8::1")
    }

    @Test func longName_isNoCommonName() throws {
        let (authority, _) = try Self.authority(at: Self.start)
        let name = Array(repeating: String(repeating: "a", count: 40), count: 5).joined(separator: ".")
        let subject = CertificateIssuer.subject(.host(name), local: nil)
        let issued = try #require(authority.issue(subject, at: Self.start))
        let certificate = withExtendedLifetime(issued) { TLSCertificate(issued.pointer) }
        #expect(certificate.dnsNames == [name])
        #expect(certificate.subject == "O=Tapline")
    }

    @Test func certificate_isValidForNinetyDays_fromYesterdayOn() throws {
        let (authority, _) = try Self.authority(at: Self.start)
        let subject = CertificateIssuer.subject(.host("a.example"), local: nil)
        let issued = try #require(authority.issue(subject, at: Self.start))
        let certificate = withExtendedLifetime(issued) { TLSCertificate(issued.pointer) }
        #expect(certificate.notBefore == Self.start - Self.day)
        #expect(certificate.notAfter == Self.start + 89 * Self.day)
        #expect(certificate.subject == "CN=a.example,O=Tapline")
        #expect(certificate.issuer == authority.certificate.subject)
        #expect(authority.certificate.subject == "CN=Tapline local CA (user@host),O=Tapline")
        #expect(authority.certificate.notAfter == Self.start + 3652 * Self.day)
    }

    @Test func longOwner_isCut() throws {
        let owner = String(repeating: "u", count: 100) + "@host"
        let made = try LocalAuthority.make(owner: owner, at: Self.start)
        let authority = try LocalAuthority(certificate: made.certificate, key: made.key, at: Self.start)
        #expect(authority.certificate.commonName?.utf8.count == 64)
    }

    // MARK: What is kept

    private func pointer(_ issuer: CertificateIssuer, _ name: String) throws -> OpaquePointer {
        try #require(issuer.certificate(for: .host(name), local: nil)).pointer
    }

    @Test func certificate_isKept_untilThirtyDaysBeforeItsEnd() throws {
        let time = Time()
        let (authority, _) = try Self.authority(at: time.now)
        let issuer = CertificateIssuer(authority, now: { time.now })
        let first = try #require(issuer.certificate(for: .host("a.example"), local: nil))
        time.pass(days: 58)
        #expect(try pointer(issuer, "a.example") == first.pointer)
        time.pass(days: 1)
        let second = try #require(issuer.certificate(for: .host("a.example"), local: nil))
        #expect(second.pointer != first.pointer)
        #expect(second.isFresh(at: time.now))
        // The clock was wrong before.
        time.pass(days: -100)
        #expect(try #require(issuer.certificate(for: .host("a.example"), local: nil)).isFresh(at: time.now))
        #expect(issuer.count == 1)
    }

    @Test func manyNames_replaceTheOnesThatWereNotUsedForLongest() throws {
        let (authority, _) = try Self.authority(at: Self.start)
        let issuer = CertificateIssuer(authority, now: { Self.start })
        let used = try #require(issuer.certificate(for: .host("used.example"), local: nil))
        let unused = try #require(issuer.certificate(for: .host("unused.example"), local: nil))
        for number in 0..<1_100 {
            _ = try pointer(issuer, "n\(number).example")
            if number % 100 == 0 { #expect(try pointer(issuer, "used.example") == used.pointer) }
        }
        #expect(issuer.count == CertificateIssuer.capacity)
        #expect(try pointer(issuer, "used.example") == used.pointer)
        #expect(try pointer(issuer, "unused.example") != unused.pointer)
    }

    @Test func threads_getOneCertificateForAName() async throws {
        let (authority, _) = try Self.authority(at: Self.start)
        let issuer = CertificateIssuer(authority, now: { Self.start })
        let found = await withTaskGroup(of: IssuedCertificate?.self) { group in
            for _ in 0..<32 { group.addTask { issuer.certificate(for: .host("a.example"), local: nil) } }
            return await group.reduce(into: [IssuedCertificate?]()) { $0.append($1) }
        }
        let kept = try pointer(issuer, "a.example")
        #expect(found.count == 32)
        #expect(found.allSatisfy { $0?.pointer == kept })
    }
}
