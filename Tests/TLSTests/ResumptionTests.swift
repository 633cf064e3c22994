import Synchronization
import TestSupport
import Testing

@testable import TLS

/// Sessions that are resumed, and such that must not be.
@Suite struct ResumptionTests {
    private static let day: UInt64 = 24 * 3600 * 1_000_000_000

    /// A clock that a test moves.
    private final class TestClock: Sendable {
        let now = Atomic<UInt64>(1)
    }

    /// Connects, so that the client gets a ticket; whether this connection resumed an earlier one.
    private func connect(_ server: TLSServerContext, _ client: TLSClientContext) throws -> Bool {
        let pair = try Pair(server, client)
        try pair.establish()
        _ = pair.readAll(pair.client)
        #expect(pair.server.isResumed == pair.client.isResumed)
        return pair.client.isResumed
    }

    @Test func secondConnection_resumes_alsoAtAnotherContextWithTheSameKeys() throws {
        let authority = try TestAuthority()
        let credential = try Contexts.credential(authority.issue())
        let client = try Contexts.client(trusting: authority)
        let keys = TLSTicketKeys()
        #expect(try !connect(Contexts.server([credential], keys: keys), client))
        #expect(try connect(Contexts.server([credential], keys: keys), client))
        #expect(try connect(Contexts.server([credential], keys: keys), client))
    }

    @Test func ticket_isWorthNothing_inAnotherScope_orForOtherKeys() throws {
        let authority = try TestAuthority()
        let credential = try Contexts.credential(authority.issue())
        let client = try Contexts.client(trusting: authority)
        let keys = TLSTicketKeys()
        #expect(try !connect(Contexts.server([credential], scope: "a", keys: keys), client))
        #expect(try !connect(Contexts.server([credential], scope: "b", keys: keys), client))
        #expect(try !connect(Contexts.server([credential], scope: "b"), client))
    }

    @Test func ticket_isWorthNothing_underOtherRulesForClients() throws {
        let authority = try TestAuthority()
        let credential = try Contexts.credential(authority.issue())
        let own = try Contexts.credential(authority.issue(.init(commonName: "alice", names: [])))
        let client = try Contexts.client(trusting: authority, credential: own)
        let keys = TLSTicketKeys()
        let trust = try TLSTrust(authorities: authority.certificate)
        func server(_ names: [String]) throws -> TLSServerContext {
            try Contexts.server(
                [credential],
                clients: .init(trust: trust, isRequired: true, allowed: .init(commonNames: names)), keys: keys)
        }
        #expect(try !connect(server(["alice"]), client))
        let resumed = try Pair(server(["alice"]), client)
        try resumed.establish()
        #expect(resumed.server.isResumed)
        #expect(resumed.server.peerCertificate?.commonName == "alice")
        _ = resumed.readAll(resumed.client)
        let refused = try Pair(server(["bob"]), client).shakeHands()
        guard case .refused = refused.server else { throw TestFailure("a ticket was accepted: \(refused)") }
    }

    @Test func ticket_isWorthNothing_afterTheEndOfTheClientsCertificate() async throws {
        let authority = try TestAuthority()
        let credential = try Contexts.credential(authority.issue())
        var request = TestAuthority.Request(commonName: "alice", names: [])
        request.seconds = 2
        let client = try Contexts.client(
            trusting: authority, credential: try Contexts.credential(authority.issue(request)))
        let server = try Contexts.server(
            [credential], clients: .init(trust: TLSTrust(authorities: authority.certificate), isRequired: true))
        #expect(try !connect(server, client))
        #expect(try connect(server, client))
        try await Task.sleep(for: .milliseconds(2200))
        let late = try Pair(server, client)
        guard case .refused(let failure) = try late.shakeHands().server else {
            throw TestFailure("a session of an expired certificate was resumed")
        }
        #expect(failure.isOfCertificate)
    }

    @Test func sessions_endWithTheServersCertificate() async throws {
        let authority = try TestAuthority()
        var request = TestAuthority.Request()
        request.seconds = 2
        let server = try Contexts.server([try Contexts.credential(authority.issue(request))])
        let client = try Contexts.client(trusting: authority)
        #expect(try !connect(server, client))
        #expect(try connect(server, client))
        try await Task.sleep(for: .milliseconds(2200))
        guard case .refused(let failure) = try Pair(server, client).shakeHands().client else {
            throw TestFailure("a session with an expired certificate was resumed")
        }
        #expect(failure.isOfCertificate)
    }

    @Test func keys_areReplaced_andAcceptedForOnePeriodMore() throws {
        let authority = try TestAuthority()
        let credential = try Contexts.credential(authority.issue())
        let clock = TestClock()
        let server = try Contexts.server([credential], keys: TLSTicketKeys { clock.now.load(ordering: .relaxed) })
        let client = try Contexts.client(trusting: authority)
        let late = try Contexts.client(trusting: authority)
        #expect(try !connect(server, client))
        #expect(try !connect(server, late))
        clock.now.store(Self.day / 2 + 1, ordering: .relaxed)
        #expect(try connect(server, client))
        clock.now.store(Self.day + 2, ordering: .relaxed)
        // The ticket of the second key counts, and the one of the first does not.
        #expect(try connect(server, client))
        #expect(try !connect(server, late))
    }

    @Test func keys_ofAnIdleProcess_endWithTheirTime() throws {
        let authority = try TestAuthority()
        let credential = try Contexts.credential(authority.issue())
        let clock = TestClock()
        let server = try Contexts.server([credential], keys: TLSTicketKeys { clock.now.load(ordering: .relaxed) })
        let client = try Contexts.client(trusting: authority)
        #expect(try !connect(server, client))
        clock.now.store(Self.day + 1, ordering: .relaxed)
        #expect(try !connect(server, client))
    }

    @Test func cache_isBounded() throws {
        let authority = try TestAuthority()
        let server = try Contexts.server([try Contexts.credential(authority.issue())])
        let client = try Contexts.client(trusting: authority)
        var pairs: [Pair] = []
        for _ in 0..<(TLSSessionCache.mostOfOne + 4) { pairs.append(try Pair(server, client)) }
        for pair in pairs {
            try pair.establish()
            _ = pair.readAll(pair.client)
        }
        #expect(client.cache.count == TLSSessionCache.mostOfOne)
    }
}
