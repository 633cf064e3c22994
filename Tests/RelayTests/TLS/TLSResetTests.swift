import Configuration
import Relay
import Sockets
import TLS
import TestSupport
import Testing

@testable import Relay

/// Peers that close without reading what only TLS has sent, so that their system resets; and resets that cut bytes.
@Suite struct TLSResetTests {
    // MARK: No failure

    /// Python's http.client and wget: the answer is complete, and close_notify stays unread.
    @Test func clientThatHasEverything_andLeavesTheEndUnread_isNoFailure() async throws {
        try await SecureScene.run(.client) { scene in
            let (client, upstream) = try scene.pair()
            try client.send([1, 2])
            #expect(try upstream.receive(count: 2) == [1, 2])
            try upstream.send([3, 4, 5])
            #expect(try client.receive(count: 3) == [3, 4, 5])
            client.acknowledge()
            try upstream.endWriting()
            try client.closeUnread()
            #expect(try upstream.receiveToEnd() == ([], .fin))
            let record = try scene.relay.end()
            #expect(record.summary == .init(.upstreamClosed, up: 2, down: 3))
            #expect(record.closedBy == .upstream && record.failureSentence == nil)
            #expect(record.sessions?.closedUnread == .client)
            // The end that its session saw was the reset's.
            #expect(record.sessions?.fault == nil)
        }
    }

    /// PostgreSQL: the client has said good-bye, and the server exits at once.
    @Test(arguments: [SecureSides.upstream, .both])
    func upstreamThatHasEverything_andLeavesTheEndUnread_isNoFailure(_ sides: SecureSides) async throws {
        try await SecureScene.run(sides) { scene in
            let (client, upstream) = try scene.pair()
            try upstream.send([3, 4, 5])
            #expect(try client.receive(count: 3) == [3, 4, 5])
            try client.send([1, 2])
            #expect(try upstream.receive(count: 2) == [1, 2])
            upstream.acknowledge()
            try client.endWriting()
            try upstream.closeUnread()
            #expect(try client.receiveToEnd() == ([], client.orderly))
            let record = try scene.relay.end()
            #expect(record.summary == .init(.clientClosed, up: 2, down: 3))
            #expect(record.sessions?.closedUnread == .upstream && record.sessions?.fault == nil)
        }
    }

    /// A client that only writes leaves the ticket unread. Its close_notify proves that its stream is complete.
    @Test func clientThatHasEnded_andLeavesTheTicketUnread_isNoFailure() async throws {
        try await SecureScene.run(.client) { scene in
            let (client, upstream) = try scene.pair()
            try client.send([1, 2, 3])
            try client.endWriting()
            try client.closeUnread()
            #expect(try upstream.receiveToEnd() == ([1, 2, 3], .fin))
            upstream.peer.close()
            let record = try scene.relay.end()
            #expect(record.summary == .init(.clientClosed, up: 3, down: 0))
            #expect(record.sessions?.fault == nil)
        }
    }

    // MARK: Failures

    /// Bytes that the client's system has not acknowledged are lost, although Tapline's socket has taken all of them.
    @Test func resetOfAClient_thatHasNotGotEverything_staysAReset() async throws {
        try await SecureScene.run(.client) { scene in
            let client = try SecurePeer(client: scene.relay.connect(receiveBuffer: 4096), scene.client)
            try client.establish()
            let upstream = try scene.accept()
            let count = 40_000
            try upstream.send([UInt8](repeating: 7, count: count))
            try upstream.endWriting()
            _ = try await scene.relay.live("the socket has taken everything") { $0.bytesDown == UInt64(count) }
            client.peer.close()
            #expect(try upstream.receiveToEnd().ending == .reset)
            let record = try scene.relay.end()
            #expect(record.summary == .init(.clientReset, up: 0, down: count, errno: "ECONNRESET"))
            #expect(record.sessions?.closedUnread == nil)
        }
    }

    /// An upstream that answered after the client's end may have had more to send, which its reset has discarded.
    @Test func resetOfAnUpstream_thatAnsweredAfterTheEnd_staysAReset() async throws {
        try await SecureScene.run(.upstream) { scene in
            let (client, upstream) = try scene.pair()
            try client.send([1, 2])
            #expect(try upstream.receive(count: 2) == [1, 2])
            try client.endWriting()
            try upstream.awaitUnread()
            try upstream.send([3, 4, 5])
            #expect(try client.receive(count: 3) == [3, 4, 5])
            try upstream.closeUnread()
            #expect(try client.receiveToEnd().ending == .reset)
            #expect(try scene.relay.end().summary == .init(.upstreamReset, up: 2, down: 3, errno: "ECONNRESET"))
        }
    }

    /// Neither side had ended its stream.
    @Test func resetOfAClient_inTheMiddle_staysAReset() async throws {
        try await SecureScene.run(.both) { scene in
            let (client, upstream) = try scene.pair()
            try client.send([1, 2])
            #expect(try upstream.receive(count: 2) == [1, 2])
            try client.peer.reset()
            #expect(try upstream.receiveToEnd().ending == .reset)
            #expect(try scene.relay.end().summary == .init(.clientReset, up: 2, down: 0, errno: "ECONNRESET"))
        }
    }

    /// What the upstream has sent is not delivered any more.
    @Test func resetOfAClient_thatHasEndedBeforeTheAnswer_staysAReset() async throws {
        try await SecureScene.run(.client) { scene in
            let client = try SecurePeer(client: scene.relay.connect(receiveBuffer: 4096), scene.client)
            try client.establish()
            let upstream = try scene.accept()
            try client.send([1])
            try client.endWriting()
            #expect(try upstream.receiveToEnd() == ([1], .fin))
            try upstream.send([UInt8](repeating: 7, count: 40_000))
            _ = try await scene.relay.live("the socket has taken everything") { $0.bytesDown == 40_000 }
            client.peer.close()
            #expect(try scene.relay.end().end?.reason == .clientReset)
        }
    }

    // MARK: In the handshake

    @Test func clientThatRefuses_andResetsAtOnce_isKnownByItsAlert() async throws {
        try await SecureScene.run(.client) { scene in
            let context = try TLSClientContext(
                verify: .full, trust: TLSTrust(authorities: TestAuthority("Other CA").certificate))
            for _ in 0..<40 {
                let client = try SecurePeer(client: scene.relay.connect(), context)
                guard case .refused = try client.shakeHands() else { throw TestFailure("not refused") }
                client.peer.resetNow()
            }
            for record in try scene.relay.ended(40) {
                #expect(record.end?.reason == .tlsCertificateRefused)
                #expect(record.sessions?.fault?.text == "sent the alert unknown_ca")
                #expect(record.sessions?.fault?.refusal == .byPeer)
            }
        }
    }

    @Test func clientThatResetsInItsHandshake_didNotGiveUpOnTheUpstream() async throws {
        try await SecureScene.run(.client) { scene in
            let client = try scene.relay.connect()
            try client.send([22, 3, 1, 1, 0])
            try client.reset()
            let record = try scene.relay.end()
            #expect(record.end?.reason == .clientReset && record.attempts == 0)
            #expect(record.failureSentence == "the client reset the connection during the TLS handshake")
        }
    }

    /// The upstream refuses the hello and resets while Tapline waits for its answer.
    @Test func upstreamThatRefuses_andResetsAtOnce_isKnownByItsAlert() async throws {
        try await SecureScene.run(.upstream) { scene in
            for _ in 0..<20 {
                let client = try scene.relay.connect()
                let upstream = try scene.listener.accept()
                _ = try upstream.receive(count: 5)
                // A fatal alert: handshake_failure.
                try upstream.send([21, 3, 3, 0, 2, 2, 40])
                upstream.resetNow()
                #expect(try client.receiveAll().ending == .reset)
            }
            for record in try scene.relay.ended(20) {
                #expect(record.end?.reason == .tlsHandshakeFailed)
                let fault = record.sessions?.fault
                #expect(fault?.side == .upstream && fault?.text == "sent the alert handshake_failure", "\(record)")
            }
        }
    }

    // MARK: The server name

    @Test func serverName_isRecorded_andTheCertificateThatDoesNotHaveIt() async throws {
        try await SecureScene.run(.client) { scene in
            let context = try TLSClientContext(
                verify: .full, trust: TLSTrust(authorities: scene.authority.certificate))
            for name in ["localhost", "other.example"] {
                let client = try SecurePeer(client: scene.relay.connect(), context, name: name)
                let step = try client.shakeHands()
                #expect((step == .done) == (name == "localhost"))
                client.peer.close()
                if step == .done { try scene.accept().peer.close() }
            }
            let records = try scene.relay.endedInOrder(2)
            #expect(records.map(\.sessions?.serverName) == ["localhost", "other.example"])
            #expect(records.map(\.sessions?.substitute) == [nil, "localhost"])
        }
    }
}
