import Configuration
import EventLoop
import Sockets
import TestSupport
import Testing

@testable import Relay

/// Requested names: their lookups, addresses that are not allowed, and the duration of a refusal.
@Suite struct RequestedNameTests {
    /// 127.0.0.`last`.
    private static func loopback(_ last: UInt32, _ port: UInt16 = 0) -> SocketAddress {
        .ipv4(IPv4Address(bits: 0x7F00_0000 | last), port: port)
    }

    private static func run(
        allow: [String]? = nil, timeout: Duration = .seconds(60), timeouts: Timeouts = Timeouts(connect: .seconds(60)),
        _ body: (OneWorker, Peer) throws -> Void
    ) async throws {
        let rules = try allow?.map { try RequestRule(parsing: $0) }
        try await LoopHarness.run { harness in
            try OneWorker.run(
                port: 1, timeouts: timeouts, harness,
                change: {
                    $0.upstream = .requested
                    $0.requested = RequestedSettings(allow: rules, timeout: timeout)
                }
            ) { worker in
                try body(worker, try worker.clients(1)[0])
            }
        }
    }

    /// The client's reply up to its end, while the loop turns.
    private static func reply(_ client: Peer, _ worker: OneWorker) throws -> [UInt8] {
        try worker.result(of: try Background("reply") { try client.receiveReply() })
    }

    @Test(
        arguments: [
            (.notFound, 4, 502, .nameNotFound, "The name in a.test:80 does not exist"),
            (.failed("SERVFAIL"), 1, 502, .nameLookupFailed, "The name in a.test:80 could not be resolved"),
        ] as [(NameLookup.Failure, UInt8, Int, EndReason, String)], Dialect.allCases)
    func nameWithoutAddress_isRepliedTo(
        _ failure: (NameLookup.Failure, UInt8, Int, EndReason, String), dialect: Dialect
    ) async throws {
        try await Self.run { worker, client in
            try client.send(dialect.request("a.test", 80))
            try worker.lookup(1).answer(.failure(failure.0))
            let reply = try Self.reply(client, worker)
            #expect(reply.starts(with: dialect.failure(failure.1, failure.2)))
            if dialect == .http { #expect(String(decoding: reply, as: UTF8.self).hasSuffix("\r\n\r\n\(failure.4)\n")) }
            client.close()
            let record = try #require(try worker.ended().last)
            #expect(record.end?.reason == failure.3 && record.upstream == "a.test:80")
            // A destination that a client chooses is not a metric label.
            #expect(try worker.stats().connectFailures.keys.map(\.endpoint) == ["requested"])
        }
    }

    /// DNS rebinding: a name may have an address that is not allowed, alone or together with one that is.
    @Test func addressThatIsNotAllowed_isNotConnected_andTheNextIs() async throws {
        try await Self.run(allow: ["127.0.0.3"]) { worker, client in
            let (near, far) = (try PeerListener(Self.loopback(2)), Self.loopback(3))
            let port = try #require(near.address.port)
            let other = try PeerListener(far.with(port: port))
            try client.send(Dialect.socks.request("a.test", port))
            try worker.lookup(1).answer(.success([Self.loopback(2), far]))
            let upstream = try worker.accept(other)
            #expect(!near.isAwaited)
            _ = try client.receive(count: Dialect.socks.success.count)
            let record = try worker.finish(client, upstream)
            #expect(record.upstreamAddress == other.address && record.upstream == "a.test:\(port)")
        }
    }

    @Test(arguments: Dialect.allCases)
    func nameWithOnlyForbiddenAddresses_isRefused(dialect: Dialect) async throws {
        try await Self.run(allow: ["127.0.0.3"]) { worker, client in
            let near = try PeerListener(Self.loopback(2))
            let port = try #require(near.address.port)
            try client.send(dialect.request("a.test", port))
            try worker.lookup(1).answer(.success([Self.loopback(2)]))
            #expect(try Self.reply(client, worker).starts(with: dialect.failure(2, 403)))
            client.close()
            let record = try #require(try worker.ended().last)
            #expect(record.end?.reason == .destinationRefused && record.refusal == .requestNotAllowed)
            #expect(record.upstreamAddress == near.address && !near.isAwaited)
        }
    }

    @Test func nameOfARule_mayHaveAnyAddress() async throws {
        try await Self.run(allow: ["*.test", "10.0.0.0/8"]) { worker, client in
            let near = try PeerListener(Self.loopback(2))
            let port = try #require(near.address.port)
            try client.send(Dialect.http.request("A.test.", port))
            try worker.lookup(1).answer(.success([Self.loopback(2)]))
            let upstream = try worker.accept(near)
            _ = try client.receive(count: Dialect.http.success.count)
            let record = try worker.finish(client, upstream)
            #expect(record.upstream == "A.test.:\(port)")
        }
    }

    @Test func nameThatNoRuleCanAllow_isNotLookedUp() async throws {
        try await Self.run(allow: ["a.test:443", "10.0.0.0/8:443"]) { worker, client in
            try client.send(Dialect.socks.request("a.test", 80))
            #expect(try Self.reply(client, worker) == Dialect.socks.failure(2, 403))
            client.close()
            #expect(try worker.ended().last?.end?.reason == .destinationRefused)
            #expect(worker.lookupCount == 0)
        }
    }

    @Test func clientThatLeavesDuringTheLookup_cancelsIt() async throws {
        try await Self.run { worker, client in
            try client.send(Dialect.socks.request("a.test", 80))
            let lookup = try worker.lookup(1)
            #expect(try worker.live().wait == .name)
            client.resetNow()
            #expect(try worker.ended().last?.end?.reason == .clientReset)
            #expect(lookup.wasCancelled)
        }
    }

    // MARK: The end of a refusal

    @Test func clientThatDoesNotClose_isClosedAfterFiveSeconds() async throws {
        try await Self.run { worker, client in
            try client.send(Dialect.http.request("a.test", 80))
            try worker.lookup(1).answer(.failure(.notFound))
            let expected = Dialect.http.failure(4, 502)
            try worker.turn(until: "the reply") { client.hasBytes }
            #expect(try client.receive(count: expected.count) == expected)
            #expect(try worker.live().wait == .reply)
            worker.letPass(FailureReply.limit - 1000)
            #expect(worker.endedCount == 0)
            worker.letPass(2000)
            #expect(try worker.ended().last?.end?.reason == .nameNotFound)
        }
    }

    @Test func connectTimeout_isRepliedTo_andEndsTheLookup() async throws {
        try await Self.run(timeouts: Timeouts(connect: .seconds(2))) { worker, client in
            try client.send(Dialect.socks.request("a.test", 80))
            let lookup = try worker.lookup(1)
            worker.letPass(3000)
            #expect(try Self.reply(client, worker) == Dialect.socks.failure(6, 504))
            #expect(lookup.wasCancelled)
            client.close()
            #expect(try worker.ended().last?.end?.reason == .connectTimeout)
        }
    }

    /// A kill takes effect at once.
    @Test func killedWhileConnecting_isResetWithoutAReply() async throws {
        try await Self.run { worker, client in
            try client.send(Dialect.http.request("a.test", 80))
            _ = try worker.lookup(1)
            worker.post(.kill(1) { _ in })
            #expect(try worker.ended().last?.end?.reason == .killed)
            #expect(try client.receiveToEnd(downBytes) == .reset(0))
        }
    }

    @Test func killedDuringARefusal_keepsItsReason() async throws {
        try await Self.run { worker, client in
            try client.send(Dialect.http.request("a.test", 80))
            try worker.lookup(1).answer(.failure(.notFound))
            try worker.turn(until: "the reply") { client.hasBytes }
            worker.post(.kill(1) { _ in })
            #expect(try worker.ended().last?.end?.reason == .nameNotFound)
        }
    }
}
