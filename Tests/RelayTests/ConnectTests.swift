import Configuration
import Glibc
import Relay
import Sockets
import TestSupport
import Testing

/// `FAULTS.md`, "Resources and upstream trouble": an upstream that cannot be connected. Whatever the reason, the client
/// gets a reset.
@Suite struct ConnectTests {
    /// Connects a client that sends nothing; the record of its connection.
    private func attempt(
        _ upstream: UpstreamAddress, timeouts: Timeouts = Timeouts()
    ) async throws -> ConnectionRecord {
        var record: ConnectionRecord?
        try await RelayHarness.runAlone([.to(upstream, timeouts: timeouts)]) { relay in
            let client = try relay.connect()
            let received = try client.receiveToEnd(downBytes)
            #expect(received == .reset(0))
            record = try relay.end()
        }
        return try #require(record)
    }

    @Test func refused_isPassedOnAtOnce() async throws {
        try await Exclusive.run {
            let refusing = try PeerListener.refusingAddress()
            var shortest = Int64.max
            // The machine may delay some attempts; a relay that waits before its reset would delay all of them.
            for _ in 0..<5 where shortest >= 1_000_000_000 {
                let record = try await attempt(.address(refusing))
                #expect(record.summary == .init(.connectRefused, up: 0, down: 0, errno: "ECONNREFUSED"))
                #expect(record.end?.reason.closedBy == .upstream)
                #expect(record.upstreamAddress == refusing)
                #expect(record.upstream == "\(refusing)")
                #expect(record.connectDuration == nil)
                shortest = min(shortest, record.end?.duration ?? .max)
            }
            #expect(shortest < 1_000_000_000, "HAProxy takes three seconds")
        }
    }

    @Test func blackHole_endsAtTheConnectTimeout() async throws {
        try await Exclusive.run {
            let hole = try PeerListener.blackHole()
            let record = try await attempt(.address(hole.address), timeouts: Timeouts(connect: .milliseconds(300)))
            #expect(record.summary == .init(.connectTimeout, up: 0, down: 0))
            #expect(record.end?.reason.closedBy == .tapline)
            #expect(record.upstreamAddress == hole.address)
            let duration = try #require(record.end?.duration)
            #expect(duration >= 300_000_000)
        }
    }

    @Test func clientResetsWhileTheUpstreamConnects_theAttemptIsGivenUp() async throws {
        try await Exclusive.run {
            let hole = try PeerListener.blackHole()
            try await RelayHarness.runAlone([.to(.address(hole.address))]) { relay in
                let client = try relay.connect()
                try client.send(upBytes, 0..<message)
                try relay.awaitOpen(1)
                client.resetNow()
                let record = try relay.end()
                #expect(record.summary == .init(.clientReset, up: 0, down: 0, errno: "ECONNRESET"))
                #expect(record.connectDuration == nil)
            }
        }
    }

    @Test func unknownName_isNotFound() async throws {
        try await Exclusive.run {
            let record = try await attempt(.name("does-not-exist.invalid", port: 80))
            // Without a name server the system cannot say that a name does not exist.
            #expect([.nameNotFound, .nameLookupFailed].contains(record.end?.reason))
            #expect(record.end?.reason.closedBy == .tapline)
            #expect(record.upstream == "does-not-exist.invalid:80")
            #expect(record.upstreamAddress == nil)
        }
    }

    @Test func nameThatCannotBeAskedFor_isAFailedLookup() async throws {
        try await Exclusive.run {
            let record = try await attempt(.name(String(repeating: "a", count: 300), port: 80))
            #expect(record.summary == .init(.nameLookupFailed, up: 0, down: 0))
        }
    }

    /// A cached name needs no lookup, and waiting clients share one lookup.
    @Test func name_manyClientsAtOnce_allAreServed() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let port = try #require(listener.address.port)
            try await RelayHarness.runAlone([.to(.name("localhost", port: port))]) { relay in
                let clients = try (0..<20).map { _ in try relay.connect() }
                for client in clients {
                    try client.send(upBytes, 0..<message)
                    client.endWriting()
                }
                for _ in clients {
                    let upstream = try listener.accept()
                    #expect(try upstream.receiveToEnd(upBytes) == .fin(message))
                    upstream.close()
                }
                for record in try relay.ended(clients.count) {
                    #expect(record.summary == .init(.clientClosed, up: message, down: 0))
                    #expect(record.upstreamAddress == listener.address)
                    #expect(record.upstream == "localhost:\(port)")
                }
            }
        }
    }

    /// A client that leaves during its lookup leaves nothing behind, and the others get their answer.
    @Test func clientResetsDuringTheLookup_othersAreServed() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let port = try #require(listener.address.port)
            try await RelayHarness.runAlone([.to(.name("localhost", port: port))]) { relay in
                let gone = try relay.connect()
                let stays = try relay.connect()
                gone.resetNow()
                stays.endWriting()
                // Whether the first client was connected before that depends on the lookup.
                try Deadline.poll("both have ended") {
                    if listener.isAwaited {
                        let upstream = try listener.accept()
                        _ = try upstream.receiveToEnd(upBytes)
                        upstream.close()
                    }
                    return relay.endedCount == 2
                }
                #expect(try relay.end(of: stays).end?.reason == .clientClosed)
                #expect(try relay.end(of: gone).end?.reason == .clientReset)
            }
        }
    }

    /// RFC 8305 over loopback: a family without a listener costs only its refusal.
    @Test(arguments: ["127.0.0.1", "::1"])
    func name_onlyOneFamilyListens_isConnectedThere(host: String) async throws {
        try await Exclusive.run {
            let address = try #require(SocketAddress(numericHost: host, port: 0))
            guard host == "127.0.0.1" || Self.localhostIsIPv6 else { return }
            let listener = try PeerListener(address)
            let port = try #require(listener.address.port)
            try await RelayHarness.runAlone([.to(.name("localhost", port: port))]) { relay in
                let client = try relay.connect()
                client.endWriting()
                let upstream = try listener.accept()
                upstream.close()
                let record = try relay.end()
                #expect(record.end?.errno == nil)
                #expect(record.upstreamAddress == listener.address)
            }
        }
    }

    private static let localhostIsIPv6: Bool = {
        guard let hosts = SmallFile.read("/etc/hosts") else { return false }
        return hosts.split(separator: "\n").contains { line in
            line.hasPrefix("::1") && line.split(whereSeparator: \.isWhitespace).contains("localhost")
        }
    }()

    // MARK: Loops

    @Test func upstreamIsItsOwnListener_endsAsALoop() async throws {
        try await Exclusive.run {
            let port = try #require(try PeerListener.freePort().port)
            let address = SocketAddress.ipv4(.loopback, port: port)
            let relay = RelaySettings(name: "relay", listen: [.address(address)], upstream: .address(address))
            try await RelayHarness.runAlone([relay]) { relay in
                let client = try relay.connect()
                #expect(try client.receiveToEnd(downBytes) == .reset(0))
                let record = try relay.end()
                #expect(record.summary == .init(.loop, up: 0, down: 0))
                #expect(record.upstreamAddress == address)
            }
        }
    }

    @Test func upstreamNameLeadsToAnotherRelaysListener_endsAsALoop() async throws {
        try await Exclusive.run {
            let port = try #require(try PeerListener.freePort().port)
            let here = RelaySettings(
                name: "here", listen: [.loopback(port: port)], upstream: .address(try PeerListener.refusingAddress()))
            try await RelayHarness.runAlone([here, .to(.name("localhost", port: port))]) { relay in
                let client = try relay.connect()
                #expect(try client.receiveToEnd(downBytes) == .reset(0))
                #expect(try relay.end().summary == .init(.loop, up: 0, down: 0))
            }
        }
    }

    /// An upstream with an unspecified address is this machine.
    @Test(arguments: [(false, false), (false, true), (true, true)])
    func upstreamIsNoAddressAndItsOwnPort_endsAsALoop(listensOnAll: Bool, asksIPv6: Bool) async throws {
        try await Exclusive.run {
            let port = try #require(try PeerListener.freePort().port)
            let relay = RelaySettings(
                name: "relay",
                listen: [listensOnAll ? .everyInterface(port: port) : .address(.ipv4(.loopback, port: port))],
                upstream: .address(asksIPv6 ? .ipv6(.any, port: port) : .ipv4(.any, port: port)))
            try await RelayHarness.runAlone([relay]) { relay in
                let client = try Peer.connect(to: .ipv4(.loopback, port: port))
                #expect(try client.receiveToEnd(downBytes) == .reset(0))
                #expect(try relay.end().summary == .init(.loop, up: 0, down: 0))
            }
        }
    }

    // MARK: Unix sockets

    @Test func unixUpstream_missingFile_cannotBeReached() async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let record = try await attempt(.address(.unix(path: folder + "/missing")))
                #expect(record.summary == .init(.connectUnreachable, up: 0, down: 0, errno: "ENOENT"))
                #expect(record.upstreamAddress == .unix(path: folder + "/missing"))
            }
        }
    }

    @Test func unixUpstream_withoutAListener_isRefused() async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let address = SocketAddress.unix(path: folder + "/stale")
                try PeerListener(address).close()
                let record = try await attempt(.address(address))
                #expect(record.summary == .init(.connectRefused, up: 0, down: 0, errno: "ECONNREFUSED"))
            }
        }
    }

    /// A Unix listener with a full queue causes no event when there is room, so connecting is tried again.
    @Test func unixUpstream_fullQueue_isConnectedOnceThereIsRoom() async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let listener = try PeerListener(.unix(path: folder + "/full"), backlog: 0)
                _ = try Peer.connect(to: listener.address)
                try await RelayHarness.runAlone([.to(.address(listener.address))]) { relay in
                    let client = try relay.connect()
                    client.endWriting()
                    #expect(relay.idleShare() < 0.1, "a try every 10 ms, in a debug build")
                    try listener.accept().close()
                    let upstream = try listener.accept()
                    upstream.close()
                    #expect(try client.receiveToEnd(downBytes) == .fin(0))
                }
            }
        }
    }

    @Test func unixUpstream_fullQueueThatStaysFull_endsAtTheConnectTimeout() async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let listener = try PeerListener(.unix(path: folder + "/full"), backlog: 0)
                _ = try Peer.connect(to: listener.address)
                let record = try await attempt(
                    .address(listener.address), timeouts: Timeouts(connect: .milliseconds(300)))
                #expect(record.summary == .init(.connectTimeout, up: 0, down: 0))
            }
        }
    }
}
