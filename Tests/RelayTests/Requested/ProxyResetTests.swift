import Configuration
import EventLoop
import Glibc
import Sockets
import TestSupport
import Testing
import Tunnel

@testable import Relay

/// Upstream proxies that reset: what they sent before is read, and the failure names the proxy.
@Suite struct ProxyResetTests {
    private static let login = Array("HTTP/1.1 407 Authentication Required\r\n\r\n".utf8)

    /// A proxy's bytes before its reset, the clause of its failure, and the error.
    private static let cases: [(scheme: String, sent: [UInt8], fault: String, errno: String?)] = [
        ("http", login, "replied \"HTTP/1.1 407 Authentication Required\"", nil),
        ("http", Array("HTTP/1.1 200".utf8), "reset the connection before it replied", "ECONNRESET"),
        ("http", [], "reset the connection before it replied", "ECONNRESET"),
        ("socks5", [5, 0xFF], "requires an authentication method for which Tapline has no credentials", nil),
        ("socks5", [5, 0], "reset the connection before it replied", "ECONNRESET"),
        ("socks5", [5, 0, 5, 2], "replied 02, connection not allowed", nil),
    ]

    /// The reply and the reset are there before the worker sees either.
    @Test(arguments: cases.indices) func reply_isReadBeforeTheReset(index: Int) async throws {
        let (scheme, sent, fault, errno) = Self.cases[index]
        try await LoopHarness.run { harness in
            let listener = try PeerListener()
            let proxy = try UpstreamProxySettings(parsing: "\(scheme)://\(listener.address)")
            try OneWorker.run(port: 1, harness, change: { $0.upstreamProxy = proxy }) { worker in
                let client = try worker.clients(1)[0]
                let peer = try worker.accept(listener)
                try worker.turn(until: "the worker waits for the reply") { (try? worker.live().upstream) != nil }
                // Without reading, or the request would be left unread: that alone is a reset.
                _ = try worker.result(of: Background("request") { try peer.receive(count: 3) })
                if !sent.isEmpty { try peer.send(sent) }
                try peer.reset()
                let record = try worker.ended()[0]
                let summary = ConnectionRecord.Summary(.upstreamProxyFailed, up: 0, down: 0, errno: errno)
                #expect(record.summary == summary)
                #expect(record.upstreamProxy?.fault?.hasPrefix(fault) == true, "\(record.upstreamProxy?.fault ?? "-")")
                #expect(try client.receiveToEnd(downBytes) == .reset(0))
                let kind = RelayStats.ConnectFailure(endpoint: "\(listener.address)", reason: .upstreamProxyFailed)
                #expect(try worker.stats().connectFailures == [kind: 1])
            }
        }
    }

    /// The proxy replies and resets before anything can be sent to it.
    @Test(arguments: [false, true]) func reply_isRead_ifTheRequestCannotBeSent(isKnown: Bool) async throws {
        try await LoopHarness.run { harness in
            try OneWorker.run(port: 1, harness) { worker in
                let client = try worker.clients(1)[0]
                let connection = try #require(worker.worker.connection(1))
                let context = StageContext(
                    id: 1, worker: worker.worker, relay: connection.relay, listener: worker.address,
                    peer: client.address, client: connection.client, acceptedTicks: connection.acceptedTicks)
                let listener = try PeerListener()
                let socket = try Socket(family: listener.address.family)
                _ = socket.connect(to: listener.address)
                let peer = try listener.accept()
                try peer.send(Self.login)
                try peer.reset()
                // The dialer has taken the socket's error if it met the reset first.
                if isKnown { context.upstreamFailure = socket.takeError() }
                #expect((context.upstreamFailure != nil) == isKnown)
                let leg = Leg(loop: harness.loop, socket: socket, side: .upstream, isUnix: false)
                let settings = try UpstreamProxySettings(parsing: "http://\(listener.address)")
                let outcome = UpstreamProxyGreeting(settings, context).run(on: leg, context)
                guard case .end(.unreachable(let failure)) = outcome else {
                    Issue.record("\(outcome)")
                    return leg.end(reset: true)
                }
                #expect(failure.reason == .upstreamProxyFailed)
                #expect(context.upstreamProxyFault == "replied \"HTTP/1.1 407 Authentication Required\"")
                leg.end(reset: true)
            }
        }
    }

    /// The reply, the metric and the record are about the proxy, and not about the destination.
    @Test(arguments: Dialect.allCases) func proxyThatRefuses_isNamed(dialect: Dialect) async throws {
        try await Exclusive.run {
            let address = try PeerListener.refusingAddress()
            var settings = RelaySettings.to(.requested)
            settings.upstreamProxy = try UpstreamProxySettings(parsing: "socks5://\(address)")
            try await RelayHarness.runAlone([settings]) { relay in
                let client = try relay.connect()
                try client.send(dialect.request("db.test", 5432))
                let reply = try client.receiveReply()
                // A SOCKS reply of 5 would say that the destination refused.
                #expect(reply.starts(with: dialect.failure(1, 502)))
                if dialect == .http {
                    let text = "The upstream proxy \(address) refused the connection (ECONNREFUSED)\n"
                    #expect(String(decoding: reply, as: UTF8.self).hasSuffix(text))
                }
                client.close()
                let record = try relay.end()
                #expect(record.end?.reason == .connectRefused && record.upstream == "db.test:5432")
                let stats = try #require(await relay.service.stats()["relay"])
                let kind = RelayStats.ConnectFailure(endpoint: "\(address)", reason: .connectRefused)
                #expect(stats.connectFailures == [kind: 1])
                #expect(stats.recentConnects.summary(at: EventLoop.nanoseconds / 1_000_000).failed == 1)
            }
        }
    }
}
