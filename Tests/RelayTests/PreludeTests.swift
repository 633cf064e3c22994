import EventLoop
import Glibc
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

    /// A leg whose peer has sent a text.
    private func leg(_ sent: String, _ body: (Leg) throws -> Void) async throws {
        try await LoopHarness.run { harness in
            var ends: [CInt] = [0, 0]
            let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
            try #require(socketpair(AF_UNIX, type, 0, &ends) == 0)
            let peer = Socket(adopting: ends[1])
            if !sent.isEmpty { #expect(peer.send(Array(sent.utf8)[...]) == .moved(sent.utf8.count)) }
            let leg = Leg(loop: harness.loop, socket: Socket(adopting: ends[0]), side: .client, isUnix: true)
            try body(leg)
            leg.end(reset: false)
        }
    }

    @Test func returnedBytes_areReadFirst_inPieces_andThenTheSockets() async throws {
        try await leg("later") { leg in
            #expect(leg.canSplice && !leg.hasBuffered && leg.bufferedBytes == 0)
            leg.returnToFront(Array("hello".utf8))
            #expect(!leg.canSplice && leg.hasBuffered && leg.bufferedBytes == 5)
            #expect(text(leg, limit: 3, peeking: true) == "hel")
            #expect(leg.bufferedBytes == 5)
            #expect(text(leg, limit: 3) == "hel")
            #expect(text(leg) == "lo" && leg.canSplice)
            #expect(text(leg) == "later")
        }
    }

    @Test func bytesReturnedTwice_areInFront_ofThoseReturnedBefore() async throws {
        try await leg("") { leg in
            leg.returnToFront(Array("xcd".utf8))
            #expect(text(leg, limit: 1) == "x")
            leg.returnToFront(Array("ab".utf8))
            #expect(leg.bufferedBytes == 4)
            #expect(text(leg) == "abcd")
            #expect(text(leg) == "wouldBlock")
        }
    }

    @Test func discardedBytes_areCounted_once() async throws {
        try await leg("") { leg in
            leg.returnToFront(Array("abc".utf8))
            #expect(leg.discardBuffered() == 3 && leg.discardBuffered() == 0)
            #expect(!leg.hasBuffered)
        }
    }
}
