import Configuration
import Relay
import Sockets
import TLS
import TestSupport
import Testing

/// PostgreSQL's way to agree on TLS, with clients and with the upstream.
@Suite struct PostgresTests {
    private static let sslRequest: [UInt8] = [0, 0, 0, 8, 4, 210, 22, 47]
    private static let gssRequest: [UInt8] = [0, 0, 0, 8, 4, 210, 22, 48]
    private static let startup: [UInt8] = [0, 0, 0, 9, 0, 3, 0, 0, 0]
    private static let (yes, no) = (UInt8(ascii: "S"), UInt8(ascii: "N"))

    private func run(_ sides: SecureSides, _ body: (SecureScene) async throws -> Void) async throws {
        try await SecureScene.run(sides) { relay, _ in
            relay.tls?.session.startTLS = .postgres
            relay.upstreamTLS?.session.startTLS = .postgres
        } _: {
            try await body($0)
        }
    }

    @Test(arguments: [[sslRequest], [gssRequest, sslRequest], []], [8, 3])
    func client_requestsTLS_orBeginsItAtOnce(_ requests: [[UInt8]], _ piece: Int) async throws {
        try await run(.client) { scene in
            let peer = try scene.relay.connect()
            for request in requests {
                for start in stride(from: 0, to: request.count, by: piece) {
                    try peer.send(Array(request[start..<min(start + piece, request.count)]))
                    try peer.awaitSent()
                }
                #expect(try peer.receive(count: 1) == [request == Self.sslRequest ? Self.yes : Self.no])
            }
            let client = try SecurePeer(client: peer, scene.client)
            try client.establish()
            let upstream = try scene.accept()
            try client.send(Self.startup)
            #expect(try upstream.receive(count: Self.startup.count) == Self.startup)
            try client.endWriting()
            #expect(try upstream.receiveToEnd().ending == .fin)
            try upstream.endWriting()
            #expect(try client.receiveToEnd() == ([], .inOrder))
            // Neither the request nor the answer is part of the stream.
            #expect(try scene.relay.end().summary == .init(.clientClosed, up: Self.startup.count, down: 0))
        }
    }

    @Test(
        arguments: [
            (startup, "did not request TLS, which this relay requires"),
            (sslRequest + [22, 3, 1], "sent bytes behind its request for TLS, before the answer"),
            (gssRequest + [0], "sent bytes behind its request for TLS, before the answer"),
        ])
    func otherClient_getsAnError(_ bytes: [UInt8], _ fault: String) async throws {
        try await run(.client) { scene in
            let client = try scene.relay.connect()
            try client.send(bytes)
            let (answer, ending) = try client.receiveAll()
            #expect(answer.first == UInt8(ascii: "E"))
            #expect(String(decoding: answer, as: UTF8.self).contains("Tapline: the client \(fault)"))
            #expect(ending == .fin)
            client.close()
            let record = try scene.relay.end()
            #expect(record.end?.reason == .tlsHandshakeFailed)
            #expect(record.sessions?.fault == .init(side: .client, text: fault))
            #expect(record.upstreamAddress == nil)
        }
    }

    /// The upstream's handshake fails: a client that can read it gets an error.
    @Test(arguments: [startup, sslRequest, [22, 3, 1]])
    func client_getsAnError_ifTheUpstreamHasNoTLS(_ bytes: [UInt8]) async throws {
        try await run(.upstream) { scene in
            let client = try scene.relay.connect()
            try client.send(bytes)
            if bytes == Self.sslRequest {
                #expect(try client.receive(count: 1) == [Self.no])
                try client.send(Self.startup)
            }
            let upstream = try scene.listener.accept()
            _ = try upstream.receive(count: Self.sslRequest.count)
            try upstream.send([Self.no])
            let (answer, ending) = try client.receiveAll()
            client.close()
            let record = try scene.relay.end()
            let text = "Tapline: the TLS handshake with the server failed; see: tapline why \(record.id)"
            if bytes.first == 22 {
                #expect(answer.isEmpty && ending == .reset)
            } else {
                #expect(answer.first == UInt8(ascii: "E") && ending == .fin)
                #expect(String(decoding: answer, as: UTF8.self).contains("C08006\0M\(text)\0"))
            }
            #expect(record.end?.reason == .tlsHandshakeFailed && record.closedBy == .upstream)
        }
    }

    @Test(arguments: [true, false])
    func upstream_isAskedForTLS_andAPlainClientGetsNone(_ asks: Bool) async throws {
        try await run(.upstream) { scene in
            let client = try scene.relay.connect()
            if asks {
                try client.send(Self.sslRequest)
                #expect(try client.receive(count: 1) == [Self.no])
            }
            try client.send(Self.startup)
            let peer = try scene.listener.accept()
            #expect(try peer.receive(count: Self.sslRequest.count) == Self.sslRequest)
            try peer.send([Self.yes])
            let upstream = try SecurePeer(server: peer, SecureScene.context(scene.authority))
            try upstream.establish()
            #expect(try upstream.receive(count: Self.startup.count) == Self.startup)
            try upstream.send([1])
            #expect(try client.receive(count: 1) == [1])
            client.endWriting()
            #expect(try upstream.receiveToEnd().ending == .inOrder)
            try upstream.endWriting()
            #expect(try client.receiveAll() == ([], .fin))
            #expect(try scene.relay.end().summary == .init(.clientClosed, up: Self.startup.count, down: 1))
        }
    }

    /// psql with sslmode=require.
    @Test func client_thatLeavesWithoutTLS_isKnownAsThat() async throws {
        try await run(.upstream) { scene in
            let client = try scene.relay.connect()
            try client.send(Self.sslRequest)
            #expect(try client.receive(count: 1) == [Self.no])
            client.close()
            let record = try scene.relay.end()
            #expect(record.end?.reason == .clientClosed && record.sessions?.unmet == .postgresTLS)
        }
    }

    @Test(
        arguments: [
            ([no], "does not offer TLS"), ([UInt8(ascii: "E"), 0], "answered the request for TLS with an error"),
            ([yes, 22], "sent bytes behind its answer, before TLS"),
        ])
    func otherAnswer_endsTheConnection(_ answer: [UInt8], _ fault: String) async throws {
        try await run(.upstream) { scene in
            let client = try scene.relay.connect()
            try client.send(Self.startup)
            let peer = try scene.listener.accept()
            _ = try peer.receive(count: Self.sslRequest.count)
            try peer.send(answer)
            // The client gets an error that it can show.
            let (error, ending) = try client.receiveAll()
            #expect(error.first == UInt8(ascii: "E") && ending == .fin)
            client.close()
            let record = try scene.relay.end()
            #expect(record.end?.reason == .tlsHandshakeFailed)
            #expect(record.sessions?.fault == .init(side: .upstream, text: fault))
            #expect(record.closedBy == .upstream)
        }
    }
}
