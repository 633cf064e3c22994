import Configuration
import ProxyProtocol
import Relay
import Sockets
import TLS
import TestSupport
import Testing

/// Bytes and ends through a relay that speaks TLS on one side or both.
@Suite struct TLSRelayTests {
    /// Bytes whose period is no multiple of any buffer's size.
    private func bytes(_ count: Int, _ seed: Int) -> [UInt8] {
        let block = (0..<65_537).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761 &+ seed) &>> 7) }
        var bytes: [UInt8] = []
        while bytes.count < count { bytes += block }
        return Array(bytes.prefix(count))
    }

    @Test(arguments: SecureSides.allCases, RelayHarness.Pump.allCases)
    func bytes_passBothWays_andTheRecordHasTheSessions(_ sides: SecureSides, _ pump: RelayHarness.Pump) async throws {
        try await SecureScene.run(sides, pump: pump) { scene in
            let (client, upstream) = try scene.pair()
            // The server speaks first.
            try upstream.send(Array("hello".utf8))
            #expect(try client.receive(count: 5) == Array("hello".utf8))
            try client.send(Array("request".utf8))
            #expect(try upstream.receive(count: 7) == Array("request".utf8))
            try client.endWriting()
            #expect(try upstream.receiveToEnd() == ([], upstream.orderly))
            try upstream.send(Array("answer".utf8))
            try upstream.endWriting()
            #expect(try client.receiveToEnd() == (Array("answer".utf8), client.orderly))
            let record = try scene.relay.end()
            #expect(record.summary == .init(.clientClosed, up: 7, down: 11))
            let parameters = "TLSv1.3 TLS_AES_128_GCM_SHA256"
            #expect(record.sessions?.client.parameters == (sides.hasClient ? parameters : nil))
            #expect(record.sessions?.upstream.parameters == (sides.hasUpstream ? parameters : nil))
            #expect(record.sessions?.upstream.peer == (sides.hasUpstream ? "localhost" : nil))
            #expect(record.sessions?.fault == nil)
        }
    }

    @Test(arguments: SecureSides.allCases, RelayHarness.Pump.allCases)
    func streams_passBothWaysAtOnce(_ sides: SecureSides, _ pump: RelayHarness.Pump) async throws {
        try await SecureScene.run(sides, pump: pump) { scene in
            let (client, upstream) = try scene.pair()
            let (up, down) = (bytes(3 << 20, 1), bytes(2 << 20, 2))
            let received = try SecurePeer.exchange(client, up, upstream, down)
            #expect(received.up == up)
            #expect(received.down == down)
            try upstream.endWriting()
            #expect(try client.receiveToEnd() == ([], client.orderly))
            try client.endWriting()
            #expect(try upstream.receiveToEnd() == ([], upstream.orderly))
            let record = try scene.relay.end()
            #expect(record.summary == .init(.upstreamClosed, up: up.count, down: down.count))
            #expect(record.splicedUp == 0 && record.splicedDown == 0)
        }
    }

    /// The end comes while the reader's socket is full: close_notify has to wait for room behind the bytes.
    @Test(arguments: SecureSides.allCases) func endBehindABacklog_isDelivered(_ sides: SecureSides) async throws {
        try await SecureScene.run(sides) { scene in
            let (client, upstream) = try scene.pair()
            let sent = bytes(8 << 20, 3)
            let sender = try Background("down") { [upstream = Unchecked(upstream)] in
                try upstream.value.send(sent)
                try upstream.value.endWriting()
            }
            try client.peer.awaitBacklog()
            let received = try client.receiveToEnd()
            try sender.value()
            #expect(received.bytes == sent)
            #expect(received.ending == client.orderly)
            try client.endWriting()
            #expect(try upstream.receiveToEnd().ending == upstream.orderly)
            #expect(try scene.relay.end().summary == .init(.upstreamClosed, up: 0, down: sent.count))
        }
    }

    /// A class for one other thread at a time, which the test waits for.
    private struct Unchecked<Value>: @unchecked Sendable {
        let value: Value
        init(_ value: Value) { self.value = value }
    }

    // MARK: Ends

    @Test func finWithoutCloseNotify_isPassedOnAsAnEnd_andRecorded() async throws {
        try await SecureScene.run(.client) { scene in
            let (client, upstream) = try scene.pair()
            try client.send([1, 2, 3])
            client.peer.endWriting()
            #expect(try upstream.receiveToEnd() == ([1, 2, 3], .fin))
            try upstream.send([4])
            try upstream.endWriting()
            #expect(try client.receiveToEnd() == ([4], .inOrder))
            let record = try scene.relay.end()
            #expect(record.summary == .init(.clientClosed, up: 3, down: 1))
            #expect(record.sessions?.fault == .init(side: .client, text: "ended its stream without close_notify"))
        }
    }

    @Test func finWithoutCloseNotify_isAReset_ifTheRelayIsConfiguredSo() async throws {
        try await SecureScene.run(.upstream) { relay, _ in
            relay.upstreamTLS?.session.truncation = .reset
        } _: { scene in
            let (client, upstream) = try scene.pair()
            try upstream.send([1, 2, 3])
            #expect(try client.receive(count: 3) == [1, 2, 3])
            upstream.peer.endWriting()
            #expect(try client.receiveToEnd().ending == .reset)
            let record = try scene.relay.end()
            #expect(record.summary == .init(.tlsTruncated, up: 0, down: 3))
            #expect(record.closedBy == .upstream)
        }
    }

    @Test(arguments: SecureSides.allCases) func reset_isPassedOn_withoutCloseNotify(_ sides: SecureSides) async throws {
        try await SecureScene.run(sides) { scene in
            let (client, upstream) = try scene.pair()
            try upstream.send([1, 2, 3])
            #expect(try client.receive(count: 3) == [1, 2, 3])
            try upstream.peer.reset()
            #expect(try client.receiveToEnd().ending == .reset)
            #expect(try scene.relay.end().summary == .init(.upstreamReset, up: 0, down: 3, errno: "ECONNRESET"))
        }
    }

    @Test func damagedRecord_endsTheConnection_afterWhatCameBefore() async throws {
        try await SecureScene.run(.client) { scene in
            let (client, upstream) = try scene.pair()
            try client.send([1, 2, 3])
            #expect(try upstream.receive(count: 3) == [1, 2, 3])
            try client.peer.send([23, 3, 3, 0, 32] + [UInt8](repeating: 9, count: 32))
            #expect(try upstream.receiveToEnd().ending == .reset)
            let record = try scene.relay.end()
            #expect(record.summary == .init(.tlsFailed, up: 3, down: 0))
            #expect(record.closedBy == .client)
            #expect(record.sessions?.fault?.text.contains("bad_record_mac") == true)
        }
    }

    // MARK: With other stages

    @Test func requestedDestination_isRequestedInsideOfTheSession() async throws {
        try await SecureScene.run(.client) { relay, _ in
            relay.upstream = .requested
            relay.requested = RequestedSettings(timeout: .seconds(60))
        } _: { scene in
            let client = try scene.connect()
            try client.send(Dialect.http.request(scene.listener.address))
            let upstream = try scene.accept()
            #expect(try client.receive(count: Dialect.http.success.count) == Dialect.http.success)
            try client.send([7])
            #expect(try upstream.receive(count: 1) == [7])
            try client.endWriting()
            #expect(try upstream.receiveToEnd().ending == .fin)
            try upstream.endWriting()
            #expect(try client.receiveToEnd() == ([], .inOrder))
            #expect(try scene.relay.end().summary == .init(.clientClosed, up: 1, down: 0))
        }
    }

    @Test func routing_readsTheHelloFirst_andTheSessionBeginsWithIt() async throws {
        try await SecureScene.run(.client) { relay, _ in
            let route = TLSRoutingSettings.Route(serverNames: [try ServerName(parsing: "localhost")])
            relay.tlsRouting = TLSRoutingSettings(routes: [route], otherwise: .refuse)
        } _: { scene in
            let (client, upstream) = try scene.pair()
            try client.send([7])
            #expect(try upstream.receive(count: 1) == [7])
            try client.endWriting()
            #expect(try upstream.receiveToEnd().ending == .fin)
            try upstream.endWriting()
            #expect(try client.receiveToEnd() == ([], .inOrder))
            let record = try scene.relay.end()
            #expect(record.hello?.serverName == "localhost")
            #expect(record.summary == .init(.clientClosed, up: 1, down: 0))
        }
    }

    @Test func proxyHeader_tellsTheUpstreamOfTheSession() async throws {
        try await SecureScene.run(.client) { relay, _ in
            relay.proxyProtocol = ProxyProtocolSettings(send: .v2)
        } _: { scene in
            let (client, upstream) = try scene.pair()
            try client.send([7])
            try client.endWriting()
            let (bytes, _) = try upstream.receiveToEnd()
            guard case .complete(let header, let length) = ProxyHeader.read(bytes) else {
                throw TestFailure("no PROXY header")
            }
            #expect(bytes.dropFirst(length) == [7])
            #expect(header.tlsVersion == "TLSv1.3")
            #expect(header.authority == "localhost")
            try upstream.endWriting()
            #expect(try client.receiveToEnd() == ([], .inOrder))
            #expect(try scene.relay.end().summary == .init(.clientClosed, up: 1, down: 0))
        }
    }

    @Test func manyClients_atOnce_allShakeHands() async throws {
        try await SecureScene.run(.both) { scene in
            let clients = try (0..<40).map { _ in try SecurePeer(client: scene.relay.connect(), scene.client) }
            for client in clients { try client.peer.send([]) }
            for client in clients { try client.establish() }
            let upstreams = try clients.map { _ in try scene.accept() }
            for client in clients { try client.endWriting() }
            for upstream in upstreams {
                #expect(try upstream.receiveToEnd() == ([], .inOrder))
                try upstream.endWriting()
            }
            #expect(try scene.relay.ended(clients.count).allSatisfy { $0.end?.reason == .clientClosed })
        }
    }
}
