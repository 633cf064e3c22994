import Configuration
import ProxyProtocol
import Relay
import Sockets
import TestSupport
import Testing

/// A relay whose clients begin with a PROXY header.
@Suite struct ProxyAcceptTests {
    private static let accepting = ProxyProtocolSettings(accept: .ofLoopback)

    static let headers: [(bytes: [UInt8], ends: ProxyHeader.Endpoints)] = [
        (farHeader(.v1), farEnds), (farHeader(.v2), farEnds), (farHeader(.v1, farEnds6), farEnds6),
        (farHeader(.v2, farEnds6), farEnds6),
        (farHeader(.v2, farEnds, [.init(type: 0xE0, value: Array(repeating: 7, count: 12_000))]), farEnds),
    ]

    // MARK: Not a byte lost, not a byte too many

    @Test(arguments: headers.indices) func headerAndData_inOneSegment_areParted(_ index: Int) async throws {
        let (bytes, ends) = Self.headers[index]
        try await RelayHarness.run(Self.accepting) { relay, listener in
            let client = try relay.connect()
            try client.send(bytes + upBytes.bytes(message))
            client.endWriting()
            let upstream = try listener.accept()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(message))
            try upstream.send(downBytes, 0..<message)
            upstream.close()
            #expect(try client.receiveToEnd(downBytes) == .fin(message))
            let record = try relay.end()
            #expect(record.summary == .init(.clientClosed, up: message, down: message))
            #expect(record.client == ends.source)
            #expect(record.proxiedBy == "\(client.address)")
            #expect(record.proxy?.destination == ends.destination)
        }
    }

    @Test(arguments: headers.indices, RelayHarness.Pump.allCases)
    func headerByteByByte_andAStreamBehindIt_isWhole(_ index: Int, pump: RelayHarness.Pump) async throws {
        let (bytes, ends) = Self.headers[index]
        try await RelayHarness.run(Self.accepting, pump: pump) { relay, listener in
            let client = try relay.connect()
            // One segment each, because the peer sends small pieces at once; a long header in pieces that take less
            // time.
            try client.send(bytes, piece: bytes.count > 1000 ? 701 : 1)
            let sender = try Background("up") {
                try client.send(upBytes, 0..<stream)
                client.endWriting()
            }
            let upstream = try listener.accept()
            try upstream.awaitBacklog()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(stream))
            try sender.value()
            upstream.close()
            #expect(try client.receiveToEnd(downBytes) == .fin(0))
            let record = try relay.end()
            #expect(record.summary == .init(.clientClosed, up: stream, down: 0))
            #expect(record.client == ends.source)
            #expect((record.splicedUp > 0) == (pump == .splice))
        }
    }

    @Test func upstreamThatSpeaksFirst_isHeardBehindTheHeader() async throws {
        try await RelayHarness.run(Self.accepting) { relay, listener in
            let client = try relay.connect()
            try client.send(farHeader())
            let upstream = try listener.accept()
            try upstream.send(downBytes, 0..<message)
            try client.receive(downBytes, 0..<message)
            client.close()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(0))
            upstream.close()
            #expect(try relay.end().summary == .init(.clientClosed, up: 0, down: message))
        }
    }

    // MARK: No upstream is connected before it is complete

    @Test func upstream_isConnectedWithTheHeadersLastByte() async throws {
        try await RelayHarness.run(Self.accepting) { relay, listener in
            let client = try relay.connect()
            let bytes = farHeader()
            try client.send(Array(bytes.dropLast()))
            try await relay.awaitsHeader()
            #expect(!listener.isAwaited)
            #expect(relay.idleShare() < idle, "an incomplete header must not cause repeated events")
            #expect(!listener.isAwaited)
            try client.send(Array(bytes.suffix(1)))
            let upstream = try listener.accept()
            let live = try await relay.live()
            #expect(live.client == farEnds.source && live.proxiedBy == "\(client.address)")
            client.close()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(0))
            upstream.close()
            #expect(try relay.end().end?.reason == .clientClosed)
        }
    }

    @Test func connectTimeout_countsFromTheHeader() async throws {
        // Long enough for a loaded machine to notice that the upstream is connected.
        try await RelayHarness.run(Self.accepting, timeouts: Timeouts(connect: .seconds(6))) { relay, listener in
            let client = try relay.connect()
            try relay.awaitOpen(1)
            Deadline.letPass(.milliseconds(6500))
            try client.send(farHeader())
            let upstream = try listener.accept()
            client.close()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(0))
            upstream.close()
            #expect(try relay.end().end?.reason == .clientClosed)
        }
    }

    /// The same with a silent upstream: the wait for the header does not shorten the timeout.
    @Test func connectTimeout_isWhole_afterALateHeader() async throws {
        try await Exclusive.run {
            let hole = try PeerListener.blackHole()
            var relay = RelaySettings(
                name: "relay", listen: [.address(.ipv4(.loopback, port: 0))], upstream: .address(hole.address),
                timeouts: Timeouts(connect: .milliseconds(1500)))
            relay.proxyProtocol = Self.accepting
            try await RelayHarness.runAlone([relay]) { relay in
                let client = try relay.connect()
                try await relay.awaitsHeader()
                Deadline.letPass(.milliseconds(1000))
                try client.send(farHeader())
                #expect(try client.receiveToEnd(downBytes) == .reset(0))
                let record = try relay.end()
                #expect(record.summary == .init(.connectTimeout, up: 0, down: 0))
                #expect((record.end?.duration ?? 0) >= 2_450_000_000)
            }
            hole.close()
        }
    }

    // MARK: Ends before it

    @Test(
        arguments: [
            Array("GET / HTTP/1.1\r\n\r\n".utf8), Array("PROXY UNKNOWN\r ".utf8), [0x16, 3, 1],
            // The checksum's last byte.
            farHeader().enumerated().map { $0.offset == 34 ? ~$0.element : $0.element },
        ] as [[UInt8]])
    func whatIsNoHeader_isResetWithItsReason(_ bytes: [UInt8]) async throws {
        try await RelayHarness.run(Self.accepting) { relay, listener in
            let client = try relay.connect()
            try client.send(bytes)
            #expect(try client.receiveToEnd(downBytes) == .reset(0))
            let record = try relay.end()
            #expect(record.summary == .init(.proxyHeaderInvalid, up: 0, down: 0))
            #expect(record.end?.reason.closedBy == .tapline)
            #expect(record.proxy?.fault?.isEmpty == false && record.proxiedBy == nil)
            #expect(record.client == client.address && record.upstreamAddress == nil)
            #expect(!listener.isAwaited)
        }
    }

    @Test(arguments: [0, 1, 20]) func headerThatIsNotThereInTime_isItsOwnReason(_ count: Int) async throws {
        let settings = ProxyProtocolSettings(accept: .loopback(.milliseconds(300)))
        try await RelayHarness.run(settings) { relay, listener in
            let client = try relay.connect()
            // On a loaded machine the timeout may pass before this; then sending fails, and reading does not report
            // why.
            let isInTime = (try? client.send(Array(farHeader().prefix(count)))) != nil
            let received = try client.receiveToEnd(downBytes)
            #expect(received == .reset(0) || !isInTime)
            let record = try relay.end()
            #expect(record.summary == .init(.proxyHeaderTimeout, up: 0, down: 0))
            #expect((record.end?.duration ?? 0) >= 300_000_000)
            #expect(!listener.isAwaited)
        }
    }

    @Test func zeroTimeout_waitsIndefinitely() async throws {
        try await RelayHarness.run(ProxyProtocolSettings(accept: .loopback(.zero))) { relay, listener in
            let client = try relay.connect()
            try await relay.awaitsHeader()
            Deadline.letPass(.milliseconds(600))
            #expect(relay.endedCount == 0)
            client.close()
            #expect(try relay.end().end?.reason == .clientClosed)
        }
    }

    @Test(arguments: [0, 1, 20]) func clientThatEndsBeforeIt_isClosedInOrder(_ count: Int) async throws {
        try await RelayHarness.run(Self.accepting) { relay, listener in
            let client = try relay.connect()
            try client.send(Array(farHeader().prefix(count)))
            client.endWriting()
            #expect(try client.receiveToEnd(downBytes) == .fin(0))
            #expect(try relay.end().summary == .init(.clientClosed, up: 0, down: 0))
            #expect(!listener.isAwaited)
        }
    }

    @Test(arguments: [0, 1, 20]) func clientThatResetsBeforeIt_isAReset(_ count: Int) async throws {
        try await RelayHarness.run(Self.accepting) { relay, listener in
            let client = try relay.connect()
            try client.send(Array(farHeader().prefix(count)))
            try await relay.awaitsHeader()
            try client.reset()
            #expect(try relay.end().summary == .init(.clientReset, up: 0, down: 0, errno: "ECONNRESET"))
            #expect(!listener.isAwaited)
        }
    }

    @Test func untrustedPeer_isRefused_whateverItSends() async throws {
        let settings = ProxyProtocolSettings(
            accept: .init(trusted: ["10.0.0.0/8", "127.0.0.2"].compactMap { Network($0) }, timeout: .seconds(20)))
        try await RelayHarness.run(settings) { relay, listener in
            let client = try relay.connect()
            #expect(try client.receiveToEnd(downBytes) == .reset(0))
            let record = try relay.end()
            #expect(record.summary == .init(.proxyUntrusted, up: 0, down: 0))
            #expect(record.client == client.address && record.proxiedBy == nil)
            #expect(!listener.isAwaited)
        }
    }

    // MARK: The client's address

    @Test(
        arguments: [
            Array("PROXY UNKNOWN\r\n".utf8), Array("PROXY UNKNOWN 1 2 3 4\r\n".utf8),
            // LOCAL, with an address that must not count, and UNSPEC.
            farHeader().enumerated().map { $0.offset == 12 ? 0x20 : $0.element }, farHeader(.v2, nil),
        ] as [[UInt8]])
    func headerWithoutAddresses_leavesTheConnectionsOwnEnds(_ bytes: [UInt8]) async throws {
        try await RelayHarness.run(Self.accepting) { relay, listener in
            let client = try relay.connect()
            try client.send(bytes)
            try client.send(upBytes, 0..<message)
            client.endWriting()
            let upstream = try listener.accept()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(message))
            upstream.close()
            let record = try relay.end()
            #expect(record.summary == .init(.clientClosed, up: message, down: 0))
            #expect(record.client == client.address && record.proxiedBy == "\(client.address)")
        }
    }

    @Test func whatTheHeaderSaysMore_isKeptForTheRecord() async throws {
        try await RelayHarness.run(Self.accepting) { relay, listener in
            let tls: [UInt8] = [1, 0, 0, 0, 0, 0x21, 0, 7] + Array("TLSv1.3".utf8)
            let client = try relay.connect()
            try client.send(
                farHeader(
                    .v2, farEnds,
                    [
                        .init(type: 0x05, value: [0xDE, 0xAD, 0x01]), .init(type: 0x20, value: tls),
                        .init(type: 0x02, value: Array("db.example".utf8)),
                    ]))
            let upstream = try listener.accept()
            client.close()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(0))
            upstream.close()
            let facts = try #require(try relay.end().proxy)
            #expect(facts.uniqueID == "0xdead01" && facts.authority == "db.example" && facts.tlsVersion == "TLSv1.3")
            #expect(facts.version == "v2" && facts.fault == nil)
        }
    }

    /// A client that can open the file may send a header for others: no network is required.
    @Test func unixListener_isTrustedByItsFile() async throws {
        let settings = ProxyProtocolSettings(accept: .init(trusted: [], timeout: .seconds(60)))
        try await TemporaryFolder.run { folder in
            let listen = ListenAddress.unix(path: folder + "/s", mode: 0o600)
            try await RelayHarness.run(settings, listen: listen) { relay, listener in
                let client = try relay.connect()
                try client.send(farHeader(.v1), piece: 1)
                try client.send(upBytes, 0..<message)
                let upstream = try listener.accept()
                try upstream.receive(upBytes, 0..<message)
                client.close()
                #expect(try upstream.receiveToEnd(upBytes, from: message) == .fin(message))
                upstream.close()
                let record = try relay.end()
                #expect(record.client == farEnds.source && record.proxiedBy == "unix:")
                #expect(record.end?.reason == .clientClosed)
            }
        }
    }

    /// Without `accept`, a header is data of the client and is forwarded.
    @Test func withoutAccept_aHeaderIsData() async throws {
        try await RelayHarness.run { relay, listener in
            let client = try relay.connect()
            let bytes = farHeader()
            try client.send(bytes)
            let upstream = try listener.accept()
            #expect(try upstream.receive(count: bytes.count) == bytes)
            client.close()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(0))
            upstream.close()
            let record = try relay.end()
            #expect(record.client == client.address && record.proxy == nil)
            #expect(record.bytesUp == UInt64(bytes.count))
        }
    }
}
