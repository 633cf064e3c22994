import Configuration
import ProxyProtocol
import Relay
import Sockets
import TestSupport
import Testing

/// A relay whose clients name their destination in a ClientHello.
@Suite struct TLSRoutingTests {
    private static let toFirst = ClientHello(name: "A.example", keyShare: 1200)

    // MARK: Not a byte lost, not one twice

    @Test(arguments: RelayHarness.Pump.allCases, [16_384, 100, 1])
    func helloInOneSegment_andAStreamBehindIt_isWhole(pump: RelayHarness.Pump, record: Int) async throws {
        try await RoutedPeers.run(pump: pump) { peers in
            let client = try peers.relay.connect()
            let bytes = Self.toFirst.bytes(record: record)
            try client.send(bytes)
            let ended = try peers.finish(client, peers.first, bytes, up: stream)
            #expect(ended.hello?.serverName == "A.example" && ended.hello?.route == "a.example")
            #expect(ended.upstream == "\(peers.first.address)" && ended.upstreamAddress == peers.first.address)
            #expect((ended.splicedUp > 0) == (pump == .splice))
        }
    }

    @Test(arguments: RelayHarness.Pump.allCases, [16_384, 100, 1])
    func helloByteByByte_andAStreamBehindIt_isWhole(pump: RelayHarness.Pump, record: Int) async throws {
        try await RoutedPeers.run(pump: pump) { peers in
            let client = try peers.relay.connect()
            let bytes = ClientHello(name: "x.y.example", applications: ["h2"]).bytes(record: record)
            // One segment each, because the peer sends small pieces at once.
            try client.send(bytes, piece: 1)
            let ended = try peers.finish(client, peers.second, bytes, up: stream)
            #expect(ended.hello?.route == "*.example with ALPN h2" && ended.hello?.applications == "h2")
        }
    }

    /// A hello of the maximum length is held, and its upstream receives nothing for a while.
    @Test func longHello_toAnUpstreamThatReadsLate_isWhole() async throws {
        try await RoutedPeers.run { peers in
            let client = try peers.relay.connect()
            let bytes = ClientHello(name: "a.example", keyShare: 60_000).bytes(record: 5000)
            let sender = try Background("hello") { try client.send(bytes, piece: 700) }
            try sender.value()
            _ = try peers.finish(client, peers.first, bytes)
        }
    }

    @Test func upstreamThatSpeaksFirst_isHeardOnceItIsConnected() async throws {
        try await RoutedPeers.run { peers in
            let client = try peers.relay.connect()
            let bytes = Self.toFirst.bytes()
            try client.send(bytes, piece: 300)
            let upstream = try peers.first.accept()
            try upstream.send(downBytes, 0..<message)
            try client.receive(downBytes, 0..<message)
            #expect(try upstream.receive(count: bytes.count) == bytes)
            client.close()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(0))
            upstream.close()
            #expect(try peers.relay.end().summary == .init(.clientClosed, up: bytes.count, down: message))
        }
    }

    // MARK: No upstream is connected before the route is known

    @Test func upstream_isConnectedWithTheHellosLastByte() async throws {
        try await RoutedPeers.run { peers in
            let client = try peers.relay.connect()
            let bytes = Self.toFirst.bytes()
            try client.send(Array(bytes.dropLast()))
            try await peers.awaitsHello()
            #expect(peers.relay.idleShare() < idle, "an incomplete hello must not cause repeated events")
            #expect(peers.noUpstreamIsConnected)
            try client.send(Array(bytes.suffix(1)))
            _ = try peers.finish(client, peers.first, bytes)
            #expect(!peers.own.isAwaited && !peers.second.isAwaited)
        }
    }

    /// Also if the hello took longer than the connect timeout.
    @Test func connectTimeout_countsFromTheHello() async throws {
        let timeouts = Timeouts(connect: .milliseconds(700))
        try await RoutedPeers.run(timeouts: timeouts, hole: true) { peers in
            let client = try peers.relay.connect()
            try await peers.awaitsHello()
            Deadline.letPass(.milliseconds(900))
            try client.send(Self.toFirst.bytes(), piece: 500)
            #expect(try client.receiveToEnd(downBytes) == .reset(0))
            let record = try peers.relay.end()
            #expect(record.summary == .init(.connectTimeout, up: 0, down: 0))
            #expect((record.end?.duration ?? 0) >= 1_600_000_000)
        }
    }

    // MARK: Clients that no route matches

    static let others: [(bytes: [UInt8], fault: String?)] = [
        (ClientHello(name: "b.example", applications: ["http/1.1"]).bytes(), nil), (ClientHello().bytes(), nil),
        (Array("SSH-2.0-OpenSSH\r\n".utf8), "is not TLS: it begins with \"SSH-2.0-OpenSSH\\x0d\""),
        (Array("G".utf8), "is not TLS: it begins with \"G\""),
        ([0x16, 2], "is not TLS: it begins with \"\\x16\\x02\""),
        ([22, 3, 1, 0, 1, 2], "is TLS, but not a ClientHello"),
        (
            ClientHello.records([1, 0, 0, 4, 3, 3, 1, 1], 100) + Array("more".utf8),
            "is a malformed TLS ClientHello"
        ),
        (
            ClientHello(name: "a.example", keyShare: 12_000).bytes(record: 1),
            "is a TLS ClientHello of more than 65536 bytes, the limit"
        ),
    ]

    @Test(arguments: others.indices, RelayHarness.Pump.allCases)
    func whomNoRouteTakes_goesToTheRelaysOwn(_ index: Int, pump: RelayHarness.Pump) async throws {
        try await RoutedPeers.run(pump: pump) { peers in
            let (bytes, fault) = Self.others[index]
            let client = try peers.relay.connect()
            try client.send(bytes, piece: bytes.count > 10_000 ? 5000 : 1)
            let ended = try peers.finish(client, peers.own, bytes)
            // The fault may contain more bytes if they came in one segment.
            #expect(fault == nil || ended.hello?.fault?.hasPrefix(fault.map { $0.prefix(20) } ?? "") == true)
            #expect((ended.hello?.fault == nil) == (fault == nil) && ended.hello?.route == nil)
            #expect(ended.upstream == "\(peers.own.address)")
        }
    }

    @Test(arguments: others.indices) func clientWithoutARoute_isRefused_whereThatIsWanted(_ index: Int) async throws {
        try await RoutedPeers.run(otherwise: .refuse) { peers in
            let (bytes, fault) = Self.others[index]
            let client = try peers.relay.connect()
            try client.send(bytes)
            #expect(try client.receiveToEnd(downBytes) == .reset(0))
            let record = try peers.relay.end()
            #expect(record.summary == .init(.tlsNotRouted, up: 0, down: 0))
            #expect(record.end?.reason.closedBy == .tapline && record.upstreamAddress == nil)
            #expect((record.hello?.fault == nil) == (fault == nil))
            #expect(peers.noUpstreamIsConnected)
        }
    }

    @Test func clientWithARoute_isNotRefused() async throws {
        try await RoutedPeers.run(otherwise: .refuse) { peers in
            let client = try peers.relay.connect()
            let bytes = Self.toFirst.bytes()
            try client.send(bytes)
            _ = try peers.finish(client, peers.first, bytes)
        }
    }

    // MARK: Ends before it

    @Test(arguments: [0, 1, 5, 200], [TLSRoutingSettings.Otherwise.upstream, .refuse])
    func helloThatIsNotThereInTime_isItsOwnReason(
        _ count: Int, otherwise: TLSRoutingSettings.Otherwise
    ) async throws {
        try await RoutedPeers.run(otherwise: otherwise, timeout: .milliseconds(300)) { peers in
            let client = try peers.relay.connect()
            // On a loaded machine the timeout may pass before this; then sending fails, and reading does not report
            // why.
            let isInTime = (try? client.send(Array(Self.toFirst.bytes().prefix(count)))) != nil
            let received = try client.receiveToEnd(downBytes)
            #expect(received == .reset(0) || !isInTime)
            let record = try peers.relay.end()
            #expect(record.summary == .init(.tlsHelloTimeout, up: 0, down: 0))
            #expect((record.end?.duration ?? 0) >= 300_000_000)
            #expect(peers.noUpstreamIsConnected)
        }
    }

    @Test func zeroTimeout_waitsIndefinitely() async throws {
        try await RoutedPeers.run(timeout: .zero) { peers in
            let client = try peers.relay.connect()
            try await peers.awaitsHello()
            Deadline.letPass(.milliseconds(600))
            #expect(peers.relay.endedCount == 0)
            client.close()
            #expect(try peers.relay.end().end?.reason == .clientClosed)
        }
    }

    @Test func clientThatEndsWithoutAWord_isClosedInOrder() async throws {
        try await RoutedPeers.run { peers in
            let client = try peers.relay.connect()
            client.endWriting()
            #expect(try client.receiveToEnd(downBytes) == .fin(0))
            #expect(try peers.relay.end().summary == .init(.clientClosed, up: 0, down: 0))
            #expect(peers.noUpstreamIsConnected)
        }
    }

    /// Part of a hello and an end: both go to the upstream of clients that no route matches.
    @Test(arguments: [1, 5, 200]) func clientThatEndsWithinIt_goesToTheRelaysOwn(_ count: Int) async throws {
        try await RoutedPeers.run { peers in
            let client = try peers.relay.connect()
            let bytes = Array(Self.toFirst.bytes().prefix(count))
            try client.send(bytes)
            let record = try peers.finish(client, peers.own, bytes, up: 0)
            #expect(record.hello?.fault == "is an incomplete TLS ClientHello")
        }
    }

    @Test(arguments: [0, 1, 200]) func clientThatResetsBeforeIt_isAReset(_ count: Int) async throws {
        try await RoutedPeers.run { peers in
            let client = try peers.relay.connect()
            try client.send(Array(Self.toFirst.bytes().prefix(count)))
            try await peers.awaitsHello()
            try client.reset()
            #expect(try peers.relay.end().summary == .init(.clientReset, up: 0, down: 0, errno: "ECONNRESET"))
            #expect(peers.noUpstreamIsConnected)
        }
    }

    @Test func killed_whileItWaits() async throws {
        try await RoutedPeers.run { peers in
            let client = try peers.relay.connect()
            try client.send([22, 3])
            try await peers.awaitsHello()
            #expect(await peers.relay.service.kill(1))
            #expect(try client.receiveToEnd(downBytes) == .reset(0))
            #expect(try peers.relay.end().end?.reason == .killed)
        }
    }

    @Test func upstreamThatRefuses_isTheRoutes() async throws {
        try await RoutedPeers.run { peers in
            let (client, address) = (try peers.relay.connect(), peers.first.address)
            peers.first.close()
            try client.send(Self.toFirst.bytes(), piece: 100)
            #expect(try client.receiveToEnd(downBytes) == .reset(0))
            let record = try peers.relay.end()
            #expect(record.summary == .init(.connectRefused, up: 0, down: 0, errno: "ECONNREFUSED"))
            #expect(record.upstream == "\(address)" && record.hello?.serverName == "A.example")
            let failures = await peers.relay.service.stats()["relay"]?.connectFailures
            #expect(failures == [.init(endpoint: "\(address)", reason: .connectRefused): 1])
        }
    }

    // MARK: With other features

    /// First the header, then the hello, in one segment or byte by byte; the upstream gets a header of its own, then the
    /// hello.
    @Test(arguments: [Int.max, 1]) func proxyHeader_thenTheHello(piece: Int) async throws {
        let proxy = ProxyProtocolSettings(accept: .ofLoopback, send: .v1)
        try await RoutedPeers.run(proxy: proxy) { peers in
            let client = try peers.relay.connect()
            let bytes = Self.toFirst.bytes(record: 50)
            try client.send(farHeader() + bytes, piece: piece)
            let upstream = try peers.first.accept()
            let header = try upstream.receiveHeader()
            #expect(header.endpoints == farEnds)
            #expect(try upstream.receive(count: bytes.count) == bytes)
            client.close()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(0))
            upstream.close()
            let record = try peers.relay.end()
            #expect(record.summary == .init(.clientClosed, up: bytes.count, down: 0))
            #expect(record.client == farEnds.source && record.hello?.route == "a.example")
        }
    }

    @Test func timeout_countsFromTheProxyHeader() async throws {
        let proxy = ProxyProtocolSettings(accept: .ofLoopback)
        try await RoutedPeers.run(timeout: .milliseconds(300), proxy: proxy) { peers in
            let client = try peers.relay.connect()
            try peers.relay.awaitOpen(1)
            Deadline.letPass(.milliseconds(600))
            try client.send(farHeader())
            #expect(try client.receiveToEnd(downBytes) == .reset(0))
            let record = try peers.relay.end()
            #expect(record.end?.reason == .tlsHelloTimeout && record.client == farEnds.source)
            #expect((record.end?.duration ?? 0) >= 900_000_000)
        }
    }

    @Test func unixListener_isRoutedToo() async throws {
        try await TemporaryFolder.run { folder in
            try await RoutedPeers.run(listen: .unix(path: folder + "/s", mode: 0o600)) { peers in
                let client = try peers.relay.connect()
                let bytes = Self.toFirst.bytes(record: 200)
                try client.send(Array(bytes.dropLast(9)))
                try await peers.awaitsHello()
                #expect(peers.relay.idleShare() < idle)
                try client.send(Array(bytes.suffix(9)))
                _ = try peers.finish(client, peers.first, bytes)
            }
        }
    }

    /// Changed routes apply to new clients; open connections continue, and waiting ones keep the routes they began with.
    @Test func changedRoutes_closeNothing() async throws {
        try await RoutedPeers.run { peers in
            let bytes = Self.toFirst.bytes()
            let open = try peers.relay.connect()
            try open.send(bytes)
            let upstream = try peers.first.accept()
            let waiting = try peers.relay.connect()
            try waiting.send(Array(bytes.prefix(100)))
            try peers.relay.awaitOpen(2)
            var relay = RelaySettings(
                name: "relay", listen: [.address(try peers.relay.listener())], upstream: .address(peers.own.address))
            relay.tlsRouting = TLSRoutingSettings(
                routes: [
                    .init(serverNames: [.exactly("a.example")], upstream: .address(peers.second.address))
                ])
            try peers.relay.service.apply(
                Configuration(workers: .exactly(1), relays: [relay]), generation: 2, drain: .zero)
            try waiting.send(Array(bytes.dropFirst(100)))
            let late = try peers.first.accept()
            let new = try peers.relay.connect()
            try new.send(bytes)
            let elsewhere = try peers.second.accept()
            for (client, upstream) in [(open, upstream), (waiting, late), (new, elsewhere)] {
                #expect(try upstream.receive(count: bytes.count) == bytes)
                client.close()
                #expect(try upstream.receiveToEnd(upBytes) == .fin(0))
                upstream.close()
            }
            #expect(try peers.relay.ended(3).allSatisfy { $0.end?.reason == .clientClosed })
        }
    }

    /// A relay without routes connects at accept, so either side may send first.
    @Test func withoutRoutes_theServerMaySpeakFirst() async throws {
        try await RelayHarness.run { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            try upstream.send(downBytes, 0..<message)
            try client.receive(downBytes, 0..<message)
            client.close()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(0))
            upstream.close()
            let record = try relay.end()
            #expect(record.summary == .init(.clientClosed, up: 0, down: message) && record.hello == nil)
        }
    }
}
