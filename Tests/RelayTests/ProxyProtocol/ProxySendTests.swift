import Configuration
import ProxyProtocol
import Relay
import Sockets
import TestSupport
import Testing

/// A relay whose upstreams get a PROXY header first.
@Suite struct ProxySendTests {
    /// Ends a connection in order and returns its record.
    private func finish(_ relay: RelayHarness, _ client: Peer, _ upstream: Peer) throws -> ConnectionRecord {
        client.close()
        #expect(try upstream.receiveToEnd(upBytes).ending == .fin)
        upstream.close()
        return try relay.end()
    }

    @Test func versionOne_isTheClientAndTheListener_beforeEverythingElse() async throws {
        try await RelayHarness.run(ProxyProtocolSettings(send: .v1)) { relay, listener in
            let client = try relay.connect()
            try client.send(upBytes, 0..<message)
            let upstream = try listener.accept()
            let ends = (client.address, try relay.listener())
            let line = "PROXY TCP4 127.0.0.1 127.0.0.1 \(ends.0.port ?? 0) \(ends.1.port ?? 0)\r\n"
            #expect(String(decoding: try upstream.receive(count: line.utf8.count), as: UTF8.self) == line)
            try upstream.receive(upBytes, 0..<message)
            let record = try finish(relay, client, upstream)
            #expect(record.bytesUp == UInt64(message), "the header is not counted")
            #expect(record.proxy == nil)
        }
    }

    @Test func versionTwo_hasAUniqueIDAndAChecksum() async throws {
        try await RelayHarness.run(ProxyProtocolSettings(send: .v2)) { relay, listener in
            let client = try relay.connect()
            let upstream = try listener.accept()
            let header = try upstream.receiveHeader()
            #expect(header.endpoints == .init(source: client.address, destination: try relay.listener()))
            #expect(header.version == .v2)
            let uniqueID = try #require(header.uniqueID)
            let record = try finish(relay, client, upstream)
            #expect(record.proxy?.uniqueID == String(decoding: uniqueID, as: UTF8.self))
            #expect(record.proxy?.uniqueID?.hasSuffix("-\(record.id)") == true)
            #expect(record.proxiedBy == nil && record.client == client.address)
        }
    }

    @Test(arguments: [ProxyProtocolSettings.Version.v1, .v2])
    func upstreamThatSpeaksFirst_getsTheHeaderAllTheSame(version: ProxyProtocolSettings.Version) async throws {
        try await RelayHarness.run(ProxyProtocolSettings(send: version)) { relay, listener in
            let client = try relay.connect()
            let upstream = try listener.accept()
            try upstream.send(downBytes, 0..<message)
            try client.receive(downBytes, 0..<message)
            let header = try upstream.receiveHeader()
            #expect(header.endpoints?.source == client.address)
            let record = try finish(relay, client, upstream)
            #expect(record.summary == .init(.clientClosed, up: 0, down: message))
        }
    }

    @Test(arguments: RelayHarness.Pump.allCases) func stream_followsTheHeader(pump: RelayHarness.Pump) async throws {
        try await RelayHarness.run(ProxyProtocolSettings(send: .v2), pump: pump) { relay, listener in
            let client = try relay.connect()
            let sender = try Background("up") {
                try client.send(upBytes, 0..<stream)
                client.endWriting()
            }
            let upstream = try listener.accept()
            #expect(try upstream.receiveHeader().endpoints?.source == client.address)
            #expect(try upstream.receiveToEnd(upBytes) == .fin(stream))
            try sender.value()
            upstream.close()
            #expect(try relay.end().summary == .init(.clientClosed, up: stream, down: 0))
        }
    }

    @Test func ipv6_isSaidInItsOwnFamily() async throws {
        try await RelayHarness.run(
            ProxyProtocolSettings(send: .v1), listen: .address(.ipv6(.loopback, port: 0))
        ) { relay, listener in
            let client = try relay.connect()
            let upstream = try listener.accept()
            #expect(
                try upstream.receiveHeader().endpoints
                    == .init(source: client.address, destination: try relay.listener()))
            #expect(try finish(relay, client, upstream).client == client.address)
        }
    }

    /// A wildcard listener has no address; the record has the one that the client reached.
    @Test func wildcardListener_saysWhatTheClientReached() async throws {
        try await RelayHarness.run(
            ProxyProtocolSettings(send: .v2), listen: .address(.ipv4(.any, port: 0))
        ) { relay, listener in
            let port = try #require(try relay.listener().port)
            let reached = SocketAddress.ipv4(IPv4Address(bits: 0x7F00_0003), port: port)
            let client = try Peer.connect(to: reached)
            let upstream = try listener.accept()
            #expect(
                try upstream.receiveHeader().endpoints == .init(source: client.address, destination: reached))
            #expect(try finish(relay, client, upstream).client == client.address)
        }
    }

    @Test func unixClient_isUnknownInVersionOne_andLocalInVersionTwo() async throws {
        for version in [ProxyProtocolSettings.Version.v1, .v2] {
            try await TemporaryFolder.run { folder in
                let path = folder + "/s"
                try await RelayHarness.run(
                    ProxyProtocolSettings(send: version), listen: .unix(path: path, mode: 0o600)
                ) { relay, listener in
                    let client = try relay.connect()
                    let upstream = try listener.accept()
                    // Version 2 in its LOCAL form, which receivers must accept.
                    let expected = version == .v1 ? Array("PROXY UNKNOWN\r\n".utf8) : farHeader(.v2, nil)
                    #expect(try upstream.receive(count: expected.count) == expected)
                    try client.send(upBytes, 0..<message)
                    try upstream.receive(upBytes, 0..<message)
                    #expect(try finish(relay, client, upstream).end?.reason == .clientClosed)
                }
            }
        }
    }

    // MARK: Received and sent

    @Test func receivedHeader_isPassedOn_withAllItSays() async throws {
        try await RelayHarness.run(ProxyProtocolSettings(accept: .ofLoopback, send: .v2)) { relay, listener in
            let extensions: [ProxyHeader.Extension] = [
                .init(type: 0xEA, value: Array("\u{1}vpce-08d2bf15fac5001c9".utf8)),
                .init(type: 0x05, value: Array("from the front".utf8)), .init(type: 0x01, value: Array("h2".utf8)),
            ]
            let client = try relay.connect()
            try client.send(farHeader(.v2, farEnds6, extensions), piece: 3)
            try client.send(upBytes, 0..<message)
            let upstream = try listener.accept()
            let header = try upstream.receiveHeader()
            #expect(header == ProxyHeader(version: .v2, endpoints: farEnds6, extensions: extensions))
            try upstream.receive(upBytes, 0..<message)
            let record = try finish(relay, client, upstream)
            #expect(record.client == farEnds6.source && record.proxy?.uniqueID == "from the front")
            #expect(record.proxiedBy == "\(client.address)")
        }
    }

    @Test(arguments: [ProxyHeader.Version.v1, .v2], [ProxyProtocolSettings.Version.v1, .v2])
    func eitherVersion_becomesTheOther(received: ProxyHeader.Version, sent: ProxyProtocolSettings.Version) async throws
    {
        try await RelayHarness.run(ProxyProtocolSettings(accept: .ofLoopback, send: sent)) { relay, listener in
            let client = try relay.connect()
            try client.send(farHeader(received))
            let upstream = try listener.accept()
            let header = try upstream.receiveHeader()
            #expect(header.endpoints == farEnds && header.version == (sent == .v1 ? .v1 : .v2))
            // Tapline's own ID if none was received.
            #expect((header.uniqueID == nil) == (sent == .v1))
            let record = try finish(relay, client, upstream)
            #expect(record.proxy?.uniqueID == header.uniqueID.map { String(decoding: $0, as: UTF8.self) })
            #expect(record.proxy?.version == (received == .v1 ? "v1" : "v2"))
        }
    }

    /// A load balancer's own connection, such as a health check, is also the load balancer's for the upstream.
    @Test func headerWithoutAddresses_becomesTheConnectionsOwnEnds() async throws {
        try await RelayHarness.run(ProxyProtocolSettings(accept: .ofLoopback, send: .v2)) { relay, listener in
            let client = try relay.connect()
            try client.send(Array("PROXY UNKNOWN\r\n".utf8))
            let upstream = try listener.accept()
            #expect(
                try upstream.receiveHeader().endpoints
                    == .init(source: client.address, destination: try relay.listener()))
            #expect(try finish(relay, client, upstream).client == client.address)
        }
    }

    // MARK: Reload

    @Test func changedSettings_areForNewConnections() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let address = try PeerListener.freePort()
            func settings(_ proxyProtocol: ProxyProtocolSettings?) -> RelaySettings {
                RelaySettings(
                    name: "relay", listen: [.address(address)], upstream: .address(listener.address),
                    proxyProtocol: proxyProtocol)
            }
            try await RelayHarness.runAlone([settings(nil)]) { relay in
                let old = try relay.pair(listener)
                let apply = {
                    try relay.service.apply(
                        Configuration(relays: [settings($0)]), generation: $1, drain: .seconds(10))
                }
                try apply(ProxyProtocolSettings(accept: .ofLoopback, send: .v1), 2)
                let new = try relay.connect()
                try new.send(farHeader())
                let newUpstream = try listener.accept()
                #expect(try newUpstream.receiveHeader().endpoints == farEnds)
                // The open connection neither has to send a header nor gets one.
                try old.client.send(upBytes, 0..<message)
                try old.upstream.receive(upBytes, 0..<message)
                try apply(nil, 3)
                let last = try relay.pair(listener)
                for (client, upstream) in [old, (new, newUpstream), last] {
                    client.close()
                    _ = try upstream.receiveToEnd(upBytes, from: client === old.client ? message : 0)
                    upstream.close()
                }
                let records = try relay.ended(3)
                #expect(records.allSatisfy { $0.end?.reason == .clientClosed })
                #expect(records.compactMap(\.proxiedBy) == ["\(new.address)"])
            }
        }
    }
}
