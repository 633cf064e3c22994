import Sockets
import TestSupport
import Testing

@testable import TLS

/// Sessions are freed, whatever they were doing.
@Suite struct LifetimeTests {
    /// How far a session gets.
    enum Stage: CaseIterable, Sendable {
        case new, halfOpen, refused, established, resumed, ended, cut
    }

    @Test(arguments: Stage.allCases) func session_isFreed_atEveryStage(_ stage: Stage) throws {
        let authority = try TestAuthority()
        let trusted = stage == .refused ? try TestAuthority("Other CA") : authority
        let server = try Contexts.server([try Contexts.credential(authority.issue())])
        let client = try Contexts.client(trusting: trusted)
        for round in 0..<20 {
            try run(stage, try Pair(server, client), isFirst: round == 0)
            #expect(server.openSessions == 0 && client.openSessions == 0)
        }
        #expect(client.cache.count <= TLSSessionCache.mostOfOne)
    }

    private func run(_ stage: Stage, _ pair: Pair, isFirst: Bool) throws {
        #expect(pair.server.isEstablished == false)
        switch stage {
        case .new: break
        case .halfOpen:
            #expect(pair.client.handshake() == .wantsRead)
            #expect(pair.server.handshake() == .wantsRead)
        case .refused:
            guard case .refused = try pair.shakeHands().client else { throw TestFailure("not refused") }
        case .established:
            try pair.establish()
        case .resumed:
            try pair.establish()
            // The ticket.
            _ = pair.readAll(pair.client)
            #expect(pair.client.isResumed != isFirst)
        case .ended:
            try pair.establish()
            #expect(pair.client.endWriting() && pair.server.endWriting())
            #expect(pair.readAll(pair.server).end == .endOfStream)
        case .cut:
            try pair.establish()
            pair.closeServer()
            _ = pair.readAll(pair.client)
        }
    }
}
