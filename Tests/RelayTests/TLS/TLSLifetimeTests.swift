import Configuration
import Relay
import Sockets
import TLS
import TestSupport
import Testing

/// Sessions are freed while the relay runs, however their connections end.
@Suite struct TLSLifetimeTests {
    private static let rounds = 5

    /// The ends of a connection: each makes a number of connections, of which the relay reports the end.
    private struct Endings {
        let scene: SecureScene
        /// Trusts another authority.
        let stranger: TLSClientContext
        /// Has the tickets of its own sessions only.
        let regular: TLSClientContext

        /// Both halves end in order. The client's next session resumes this one.
        func inOrder() throws -> TLSSession? {
            let client = try SecurePeer(client: scene.relay.connect(), regular)
            try client.establish()
            let upstream = try scene.accept()
            try client.send([1])
            #expect(try upstream.receive(count: 1) == [1])
            try upstream.send([2])
            try upstream.endWriting()
            #expect(try client.receiveToEnd() == ([2], .inOrder))
            try client.endWriting()
            #expect(try upstream.receiveToEnd().ending == .inOrder)
            return client.session
        }

        /// The client refuses Tapline's certificate.
        func refused() throws {
            let client = try SecurePeer(client: scene.relay.connect(), stranger)
            guard case .refused = try client.shakeHands() else { throw TestFailure("not refused") }
            client.peer.close()
        }

        /// Half of a ClientHello, and then nothing: the timeout ends it.
        func halfOpen() throws {
            let client = try scene.relay.connect()
            try client.send([22, 3, 1, 1, 0, 1, 0, 0, 252])
            #expect(try client.receiveAll().ending == .reset)
        }

        /// The client resets after its ClientHello.
        func resetInTheHandshake() throws {
            let peer = try scene.relay.connect()
            // The answer may come within the step, and must not complete the handshake: the relay would connect its upstream.
            _ = try SecurePeer(client: peer, stranger).session?.handshake()
            peer.resetNow()
        }

        /// The upstream resets in the middle of its handshake.
        func resetByTheUpstream() throws {
            let client = try scene.connect()
            let upstream = try scene.listener.accept()
            _ = try upstream.receive(count: 5)
            upstream.resetNow()
            #expect(try client.receiveToEnd().ending == .reset)
        }

        /// The client resets with its session established.
        func resetLater() throws {
            let (client, upstream) = try scene.pair()
            client.peer.resetNow()
            #expect(try upstream.receiveToEnd().ending == .reset)
        }
    }

    @Test func sessions_areFreed_howeverTheirConnectionsEnd() async throws {
        try await SecureScene.run(.both) { relay, _ in
            relay.tls?.session.handshake = .seconds(1)
        } _: { scene in
            let (own, other) = (scene.authority, try TestAuthority("Other CA"))
            let endings = Endings(
                scene: scene,
                stranger: try TLSClientContext(verify: .full, trust: TLSTrust(authorities: other.certificate)),
                regular: try TLSClientContext(verify: .full, trust: TLSTrust(authorities: own.certificate)))
            var ended = 0
            for round in 0..<Self.rounds {
                let resumed = try endings.inOrder()?.isResumed
                #expect(resumed == (round > 0))
                try endings.refused()
                try endings.halfOpen()
                try endings.resetInTheHandshake()
                try endings.resetByTheUpstream()
                try endings.resetLater()
                ended += 6
                _ = try scene.relay.ended(ended)
            }
            // A connection is freed at the end of the turn that has ended it.
            let (server, client) = (try #require(scene.relayServer), try #require(scene.relayClient))
            let deadline = Deadline()
            while server.openSessions + client.openSessions > 0 {
                if deadline.isOver {
                    throw TestFailure("\(server.openSessions) with clients, \(client.openSessions) with upstreams")
                }
                Deadline.letPass(.milliseconds(1))
            }
        }
    }

    /// The count that the test above relies on.
    @Test func openSessions_areCounted() async throws {
        try await SecureScene.run(.both) { scene in
            let (client, upstream) = try scene.pair()
            #expect(scene.relayClient?.openSessions == 1)
            // The upstream's session is one of the same context.
            #expect(scene.relayServer?.openSessions == 2)
            try client.endWriting()
            #expect(try upstream.receiveToEnd().ending == .inOrder)
            try upstream.endWriting()
            #expect(try client.receiveToEnd().ending == .inOrder)
            _ = try scene.relay.end()
        }
    }
}
