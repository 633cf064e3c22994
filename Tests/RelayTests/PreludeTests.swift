import Configuration
import EventLoop
import Sockets
import TestSupport
import Testing

@testable import Relay

/// Bytes that a stage has returned to the front of a leg.
@Suite struct PreludeTests {
    private func text(_ leg: Leg, limit: Int = 64, peeking: Bool = false) -> String {
        let buffer = ByteBuffer(capacity: 64)
        let transfer = peeking ? leg.peek(into: buffer, limit: limit) : leg.receive(into: buffer, limit: limit)
        guard case .moved(let count) = transfer else { return "\(transfer)" }
        var bytes: [UInt8] = []
        buffer.append(count: count, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The client's leg of a connection that waits for a ClientHello, and its client.
    private func leg(_ body: (Leg, Peer) throws -> Void) async throws {
        try await LoopHarness.run { harness in
            let routing = TLSRoutingSettings(routes: [.init(applications: ["never"])])
            try OneWorker.run(port: 1, harness, change: { $0.tlsRouting = routing }) { worker in
                let client = try worker.clients(1)[0]
                let connection = try #require(worker.worker.connection(1))
                try body(connection.client, client)
            }
        }
    }

    @Test func returnedBytes_areReadFirst_inPieces_andThenTheSockets() async throws {
        try await leg { leg, client in
            #expect(leg.canSplice && !leg.hasBuffered && leg.bufferedBytes == 0)
            leg.returnToFront(Array("hello".utf8))
            #expect(!leg.canSplice && leg.hasBuffered && leg.bufferedBytes == 5)
            #expect(text(leg, limit: 3, peeking: true) == "hel")
            #expect(leg.bufferedBytes == 5)
            #expect(text(leg, limit: 3) == "hel")
            #expect(text(leg) == "lo" && leg.canSplice && leg.bufferedBytes == 0)
            #expect(text(leg) == "wouldBlock")
            try client.send(Array("later".utf8))
            try client.awaitSent()
            #expect(text(leg) == "later")
        }
    }

    @Test func bytesReturnedTwice_areInFront_ofThoseReturnedBefore() async throws {
        try await leg { leg, _ in
            leg.returnToFront(Array("xcd".utf8))
            #expect(text(leg, limit: 1) == "x")
            leg.returnToFront(Array("ab".utf8))
            #expect(leg.bufferedBytes == 4)
            #expect(text(leg) == "abcd")
            #expect(text(leg) == "wouldBlock")
        }
    }

    @Test func discardedBytes_areCounted_once() async throws {
        try await leg { leg, _ in
            leg.returnToFront(Array("abc".utf8))
            #expect(leg.discardBuffered() == 3 && leg.discardBuffered() == 0)
            #expect(!leg.hasBuffered)
        }
    }
}
