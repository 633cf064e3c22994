import Configuration
import ProxyProtocol
import Relay
import Sockets
import TestSupport
import Testing

/// A relay that connects through a proxy, which the test simulates.
@Suite struct UpstreamProxyTests {
    private static func run(
        _ url: (SocketAddress) -> String, timeouts: Timeouts = Timeouts(), pump: RelayHarness.Pump = .splice,
        upstream: UpstreamAddress = .name("db.test", port: 5432), proxy: ProxyProtocolSettings? = nil,
        _ body: (RelayHarness, PeerListener) async throws -> Void
    ) async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            var relay = RelaySettings.to(upstream, timeouts: timeouts)
            relay.upstreamProxy = try UpstreamProxySettings(parsing: url(listener.address))
            relay.proxyProtocol = proxy
            try await RelayHarness.runAlone([relay], pump: pump) { try await body($0, listener) }
        }
    }

    private static let connect = Array("CONNECT db.test:5432 HTTP/1.1\r\nHost: db.test:5432\r\n\r\n".utf8)
    private static let request: [UInt8] = [5, 1, 0, 3, 7] + Array("db.test".utf8) + [0x15, 0x38]

    @Test(arguments: RelayHarness.Pump.allCases)
    func socksProxy_withALogin_connectsTheName(pump: RelayHarness.Pump) async throws {
        try await Self.run({ "socks5://me:secret@\($0)" }, pump: pump) { relay, listener in
            let client = try relay.connect()
            let proxy = try listener.accept()
            #expect(try proxy.receive(count: 4) == [5, 2, 0, 2])
            try proxy.send([5, 2])
            #expect(try proxy.receive(count: 11) == [1, 2] + Array("me".utf8) + [6] + Array("secret".utf8))
            try proxy.send([1, 0])
            #expect(try proxy.receive(count: Self.request.count) == Self.request)
            // The upstream speaks first, in the segment of the reply.
            try proxy.send([5, 0, 0, 1, 0, 0, 0, 0, 0, 0] + downBytes.bytes(message))
            try client.receive(downBytes, 0..<message)
            let sender = try Background("up") {
                try client.send(upBytes, 0..<stream)
                client.endWriting()
            }
            try proxy.awaitBacklog()
            #expect(try proxy.receiveToEnd(upBytes) == .fin(stream))
            try sender.value()
            proxy.close()
            #expect(try client.receiveToEnd(downBytes, from: message) == .fin(message))
            let record = try relay.end()
            #expect(record.summary == .init(.clientClosed, up: stream, down: message))
            #expect(record.upstream == "db.test:5432" && record.upstreamAddress == listener.address)
            #expect(record.upstreamProxy == UpstreamProxyFacts(proxy: "\(listener.address)"))
            #expect(record.connectDuration != nil && (record.splicedUp > 0) == (pump == .splice))
            #expect(!"\(record)".contains("secret"))
        }
    }

    @Test func httpProxy_connectsTheName_andTheUpstreamGetsThePROXYHeader() async throws {
        try await Self.run({ "http://\($0)" }, proxy: ProxyProtocolSettings(send: .v1)) { relay, listener in
            let client = try relay.connect()
            let proxy = try listener.accept()
            #expect(try proxy.receive(count: Self.connect.count) == Self.connect)
            try proxy.send(Array("HTTP/1.1 200 OK\r\n\r\n".utf8), piece: 1)
            #expect(try proxy.receive(count: 5) == Array("PROXY".utf8))
            client.close()
            proxy.close()
            _ = try relay.end()
        }
    }

    @Test(
        arguments: [
            ("socks5", [5, 0xFF], "requires an authentication method for which Tapline has no credentials"),
            ("socks5", [5, 0, 5, 4], "replied 04, host unreachable"),
            ("socks5", Array("HTTP/1.1 400 Bad\r\n\r\n".utf8), "sent bytes that are not a reply of its protocol"),
            ("http", Array("HTTP/1.1 407 Authentication Required\r\n\r\nlogin".utf8), "replied \"HTTP/1.1 407 Auth"),
            ("http", [], "closed the connection before it replied"),
            ("http", Array("HTTP/1.1 200 OK\r\n".utf8), "closed the connection before it replied"),
        ] as [(String, [UInt8], String)])
    func proxyThatRefuses_isReported_andNoneOfItsBytesReachTheClient(
        _ scheme: String, _ reply: [UInt8], _ fault: String
    ) async throws {
        try await Self.run({ "\(scheme)://\($0)" }) { relay, listener in
            let client = try relay.connect()
            let proxy = try listener.accept()
            if !reply.isEmpty { try proxy.send(reply) }
            proxy.endWriting()
            #expect(try client.receiveToEnd(downBytes) == .reset(0))
            let record = try relay.end()
            #expect(record.summary == .init(.upstreamProxyFailed, up: 0, down: 0))
            #expect(record.end?.reason.closedBy == .upstream && record.connectDuration == nil)
            #expect(record.upstreamAddress == listener.address)
            #expect(record.upstreamProxy?.fault?.hasPrefix(fault) == true, "\(record.upstreamProxy?.fault ?? "-")")
        }
    }

    @Test func silentProxy_isEndedByTheConnectTimeout() async throws {
        try await Self.run({ "socks5://\($0)" }, timeouts: Timeouts(connect: .milliseconds(500))) { relay, listener in
            let client = try relay.connect()
            _ = try listener.accept()
            #expect(try client.receiveToEnd(downBytes) == .reset(0))
            #expect(try relay.end().end?.reason == .connectTimeout)
        }
    }

    /// A proxy behind a proxy: the client gets a reply for the second proxy's failure.
    @Test(arguments: Dialect.allCases) func requestedDestination_throughAProxy(dialect: Dialect) async throws {
        try await Self.run({ "socks5://\($0)" }, upstream: .requested) { relay, listener in
            let client = try relay.connect()
            try client.send(dialect.request("db.test", 5432))
            let proxy = try listener.accept()
            #expect(try proxy.receive(count: 3) == [5, 1, 0])
            try proxy.send([5, 0])
            #expect(try proxy.receive(count: Self.request.count) == Self.request)
            try proxy.send([5, 5, 0, 1, 0, 0, 0, 0, 0, 0])
            let reply = try client.receiveReply()
            #expect(reply.starts(with: dialect.failure(1, 502)))
            if dialect == .http {
                let text =
                    "The upstream proxy \(listener.address) did not connect to db.test:5432: it replied 05, connection "
                    + "refused\n"
                #expect(String(decoding: reply, as: UTF8.self).hasSuffix(text))
            }
            client.close()
            proxy.close()
            #expect(try relay.end().end?.reason == .upstreamProxyFailed)
        }
    }
}
