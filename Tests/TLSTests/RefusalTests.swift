import TestSupport
import Testing

@testable import TLS

/// Certificates that are refused, and what is said about it.
@Suite struct RefusalTests {
    private let authority: TestAuthority
    private let other: TestAuthority

    init() throws {
        authority = try TestAuthority()
        other = try TestAuthority("Other CA")
    }

    /// What a client says about a server's certificate; nil if it accepts it.
    private func refusal(
        of issued: TestAuthority.Issued, name: String = "localhost", isAddress: Bool = false,
        verify: TLSClientContext.Verification = .full, pins: [String] = []
    ) throws -> TLSFailure? {
        let client = try Contexts.client(trusting: authority, verify: verify, pins: pins)
        let pair = try Pair(
            Contexts.server([try Contexts.credential(issued)]), client, name: name, isAddress: isAddress)
        let steps = try pair.shakeHands()
        guard case .refused(let failure) = steps.client else { return nil }
        #expect(failure.isOfCertificate)
        // With TLS 1.3 the server is done by then or gets the alert in the handshake.
        if case .refused(let seen) = steps.server { #expect(seen.isByPeer) }
        return failure
    }

    private func certificateProblem(_ failure: TLSFailure?) -> CertificateProblem? {
        guard case .certificate(let problem) = failure?.cause else { return nil }
        return problem
    }

    @Test func validCertificate_isAccepted() throws {
        #expect(try refusal(of: authority.issue()) == nil)
        #expect(
            try refusal(of: authority.issue(.init(names: ["IP:127.0.0.1"])), name: "127.0.0.1", isAddress: true) == nil)
        #expect(try refusal(of: authority.issue(.init(names: ["DNS:*.example.com"])), name: "a.example.com") == nil)
    }

    @Test func expired_saysSinceWhen() throws {
        var request = TestAuthority.Request()
        (request.firstDay, request.lastDay) = (-30, -1)
        let failure = try refusal(of: authority.issue(request))
        let problem = try #require(certificateProblem(failure))
        #expect(problem.reason == "certificate has expired")
        #expect(problem.since == TLSCertificate.date(try #require(problem.presented).notAfter))
        #expect(failure?.sentAlert?.description == "certificate_expired")
        #expect("\(try #require(failure))".contains("certificate has expired since 20"))
    }

    @Test func notYetValid_saysFromWhenOn() throws {
        var request = TestAuthority.Request()
        (request.firstDay, request.lastDay) = (2, 30)
        let problem = try #require(certificateProblem(try refusal(of: authority.issue(request))))
        #expect(problem.reason == "certificate is not yet valid")
        #expect(problem.required?.hasPrefix("a time from 20") == true)
    }

    @Test func wrongName_saysBoth() throws {
        let failure = try refusal(of: authority.issue(.init(names: ["DNS:other.example"])), name: "api.example.com")
        let problem = try #require(certificateProblem(failure))
        #expect(problem.reason == "hostname mismatch")
        #expect(problem.required == "api.example.com")
        #expect(problem.presented?.dnsNames == ["other.example"])
        // The chain alone is right.
        #expect(try refusal(of: authority.issue(.init(names: ["DNS:other.example"])), verify: .chain) == nil)
    }

    @Test func wrongAddress_saysWhichIsRequired() throws {
        let failure = try refusal(of: authority.issue(), name: "127.0.0.1", isAddress: true)
        #expect(certificateProblem(failure)?.required == "127.0.0.1")
    }

    @Test func unknownAuthority_andSelfSigned_areNamed() throws {
        let problem = certificateProblem(try refusal(of: other.issue()))
        #expect(problem?.reason == "unable to get local issuer certificate")
        #expect(
            problem?.required
                == "the certificate of its issuer CN=Other CA: the upstream sent 1 certificate, and must send that one, too, "
                + "unless you add it to `ca`")
        var request = TestAuthority.Request(commonName: "self")
        request.isSelfSigned = true
        #expect(certificateProblem(try refusal(of: other.issue(request)))?.reason == "self-signed certificate")
        #expect(try refusal(of: other.issue(request), verify: .off) == nil)
    }

    @Test func expiredAuthority_isNamed() throws {
        let old = try TestAuthority("Expired CA", valid: -30 ... -1)
        let client = try Contexts.client(trusting: old)
        let pair = try Pair(Contexts.server([try Contexts.credential(old.issue())]), client)
        guard case .refused(let failure) = try pair.shakeHands().client else { throw TestFailure("not refused") }
        let problem = try #require(certificateProblem(failure))
        #expect(problem.reason == "the authority CN=Expired CA has expired")
        #expect(problem.authority == "CN=Expired CA" && problem.since != nil)
        #expect(!problem.description.contains("of its chain"))
    }

    /// With the intermediate one sent, the unknown root is what is missing.
    @Test func unknownRoot_isNotAMissingIntermediate() throws {
        let intermediate = try TestAuthority("Intermediate", below: other)
        let leaf = try intermediate.issue()
        let chain = TestAuthority.Issued(certificate: leaf.certificate + intermediate.certificate, key: leaf.key)
        let problem = certificateProblem(try refusal(of: chain))
        #expect(problem?.required == "a chain to an authority that Tapline trusts (`ca`)")
        #expect(problem?.description.contains("(the authority CN=Intermediate)") == true)
    }

    @Test func wrongUsage_isNamed() throws {
        var request = TestAuthority.Request()
        request.usage = "clientAuth"
        let problem = certificateProblem(try refusal(of: authority.issue(request)))
        #expect(problem?.reason.contains("purpose") == true)
        #expect(problem?.required == "the key usage serverAuth")
    }

    @Test func clientsWrongUsage_isNamed() throws {
        var request = TestAuthority.Request()
        request.usage = "serverAuth"
        let problem = certificateProblem(try refusal(ofClient: authority.issue(request)))
        #expect(problem?.required == "the key usage clientAuth")
    }

    @Test func pin_decidesAlone_orInAddition() throws {
        let issued = try other.issue()
        let pin = try Contexts.credential(issued).certificate.pin
        #expect(try refusal(of: issued, verify: .pin, pins: [pin]) == nil)
        let failure = try refusal(of: issued, verify: .pin, pins: ["sha256/other"])
        #expect(certificateProblem(failure)?.reason == "its public key \(pin) is not pinned")
        #expect(certificateProblem(failure)?.required == "one of sha256/other")
        #expect(try refusal(of: authority.issue(), pins: ["sha256/other"]) != nil)
    }

    // MARK: Clients

    /// What a server says about a client; nil if it accepts it.
    private func refusal(
        ofClient issued: TestAuthority.Issued?, isRequired: Bool = true, allowed: TLSAllowList = .init(),
        revoked: [UInt8]? = nil, below: [UInt8] = []
    ) throws -> TLSFailure? {
        let trust = try TLSTrust(authorities: authority.certificate + below, revoked: revoked)
        let server = try Contexts.server(
            [try Contexts.credential(authority.issue())],
            clients: .init(trust: trust, isRequired: isRequired, allowed: allowed))
        let client = try Contexts.client(
            trusting: authority, credential: issued.map { try Contexts.credential($0) })
        let pair = try Pair(server, client)
        let steps = try pair.shakeHands()
        guard case .refused(let failure) = steps.server else { return nil }
        // TLS 1.3: the client is done before the server has seen its certificate. The alert comes with the first read.
        _ = pair.readAll(pair.client)
        #expect(pair.client.failure?.isOfCertificate == true)
        #expect(pair.client.failure?.isByPeer == true)
        return failure
    }

    @Test func client_isAcceptedByTheAuthority_andByItsNames() throws {
        #expect(try refusal(ofClient: authority.issue()) == nil)
        let uri = try authority.issue(.init(names: ["URI:spiffe://corp/ns/a/sa/web"]))
        #expect(try refusal(ofClient: uri, allowed: .init(uri: ["spiffe://corp/ns/*/sa/web"])) == nil)
        let failure = try refusal(ofClient: uri, allowed: .init(uri: ["spiffe://corp/ns/*/sa/db"]))
        #expect(certificateProblem(failure)?.reason == "none of its names is allowed")
        #expect(certificateProblem(failure)?.required == "one of uri spiffe://corp/ns/*/sa/db")
        #expect(certificateProblem(failure)?.presented?.identity == "spiffe://corp/ns/a/sa/web")
        #expect(failure?.sentAlert?.refusesCertificate == true)
    }

    @Test func client_withoutCertificate_isRefusedIfItIsRequired() throws {
        #expect(try refusal(ofClient: nil)?.cause == .certificateMissing)
        #expect(try refusal(ofClient: nil, isRequired: false) == nil)
    }

    @Test func client_ofAnotherAuthority_isRefused_alsoIfNoneIsRequired() throws {
        #expect(try refusal(ofClient: other.issue(), isRequired: false) != nil)
    }

    @Test func revokedClient_isRefused() throws {
        let issued = try authority.issue()
        let list = try authority.revokeLast()
        #expect(certificateProblem(try refusal(ofClient: issued, revoked: list))?.reason == "certificate revoked")
        #expect(try refusal(ofClient: authority.issue(), revoked: list) == nil)
    }

    /// Its list is in the file, and that of the authority below it, too; without a list, an authority counts as good.
    @Test func revokedAuthority_isRefused_andOneWithoutAListIsNot() throws {
        let middle = try TestAuthority("Middle CA", below: authority)
        let own = try middle.issue()
        let chain = TestAuthority.Issued(certificate: own.certificate + middle.certificate, key: own.key)
        _ = try middle.issue()
        let leaves = try middle.revokeLast()
        #expect(try refusal(ofClient: chain, revoked: leaves, below: middle.certificate) == nil)
        let lists = try leaves + authority.revoke(middle)
        let failure = try refusal(ofClient: chain, revoked: lists, below: middle.certificate)
        #expect(certificateProblem(failure)?.reason == "certificate revoked")
    }

    @Test func nameThatCannotBeChecked_isNoSession() throws {
        let full = try Contexts.client(trusting: authority)
        let chain = try Contexts.client(trusting: authority, verify: .chain)
        for isAddress in [true, false] {
            #expect(TLSSession(full, to: "", isAddress: isAddress, peer: "", fd: -1) == nil)
            #expect(TLSSession(chain, to: "", isAddress: isAddress, peer: "", fd: -1) != nil)
        }
        #expect(TLSSession(full, to: "not an address", isAddress: true, peer: "", fd: -1) == nil)
    }

    // MARK: Tapline's own certificates

    @Test func credential_isCheckedCompletely() throws {
        let good = try authority.issue()
        let another = try authority.issue()
        func error(_ chain: [UInt8], _ key: [UInt8]) -> TLSCredentialError? {
            do throws(TLSCredentialError) {
                try TLSCredential(chain: chain, key: key).check(at: 4_000_000_000)
                return nil
            } catch {
                return error
            }
        }
        #expect(error(good.certificate, another.key) == .keyDoesNotMatch("localhost"))
        #expect(error([], good.key) == .noCertificate)
        #expect(error(good.key, good.key) == .noCertificate)
        #expect(error(good.certificate, []) == .noKey)
        #expect(error(good.certificate, good.certificate) == .noKey)
        guard case .expired = error(good.certificate, good.key) else { throw TestFailure("not expired in 2096") }
        guard case .malformedCertificate = error(Array(good.certificate.dropLast(60)), good.key) else {
            throw TestFailure("a cut certificate was read")
        }
    }

    @Test func weakKey_isRefused() throws {
        var request = TestAuthority.Request()
        request.key = .rsa(1024)
        let issued = try authority.issue(request)
        #expect(throws: TLSCredentialError.weakKey(bits: 1024)) { try Contexts.credential(issued) }
    }
}
