import Configuration
import Glibc
import Relay
import Sockets
import TestSupport
import Testing

/// Where a relay listens, and the messages when it cannot.
@Suite struct ListeningTests {
    private static let hasIPv6 = LocalAddresses.read().contains(.ipv6(.loopback, port: 0))

    /// One message each way and an orderly end.
    private func converse(
        _ relay: RelayHarness, _ address: SocketAddress, _ listener: PeerListener
    ) throws {
        let client = try Peer.connect(to: address)
        let upstream = try listener.accept()
        try client.send(upBytes, 0..<message)
        try upstream.receive(upBytes, 0..<message)
        try upstream.send(downBytes, 0..<message)
        try client.receive(downBytes, 0..<message)
        client.close()
        #expect(try upstream.receiveToEnd(upBytes, from: message) == .fin(message))
        upstream.close()
    }

    private func run(
        _ listen: [ListenAddress], workers: Int = 2, _ body: (RelayHarness, PeerListener) throws -> Void
    ) async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let relay = RelaySettings(name: "relay", listen: listen, upstream: .address(listener.address))
            try await RelayHarness.runAlone([relay], workers: workers) { try body($0, listener) }
        }
    }

    @Test(.enabled(if: hasIPv6)) func barePort_listensOnBothLoopbacksAtOnePort() async throws {
        try await run([.loopback(port: 0)]) { relay, listener in
            let addresses = relay.service.listeners.map(\.address)
            try #require(addresses.count == 2)
            let port = try #require(addresses[0].port)
            #expect(port != 0)
            #expect(addresses == [.ipv4(.loopback, port: port), .ipv6(.loopback, port: port)])
            for address in addresses { try converse(relay, address, listener) }
            let records = try relay.endedInOrder(2)
            #expect(records.map(\.listener) == addresses)
            #expect(records.map { $0.client.family } == [AF_INET, AF_INET6])
            #expect(records.allSatisfy { $0.summary == .init(.clientClosed, up: message, down: message) })
        }
    }

    @Test(.enabled(if: hasIPv6)) func everyInterface_listensInBothFamilies() async throws {
        try await run([.everyInterface(port: 0)]) { relay, listener in
            let addresses = relay.service.listeners.map(\.address)
            let port = try #require(addresses.first?.port)
            #expect(addresses == [.ipv4(.any, port: port), .ipv6(.any, port: port)])
            try converse(relay, .ipv4(.loopback, port: port), listener)
            try converse(relay, .ipv6(.loopback, port: port), listener)
            let records = try relay.ended(2)
            #expect(records.map(\.client.isLoopback) == [true, true])
        }
    }

    @Test(.enabled(if: hasIPv6)) func ipv6Upstream_isReached() async throws {
        try await RelayHarness.run(
            listen: .address(.ipv6(.loopback, port: 0)), upstream: .ipv6(.loopback, port: 0)
        ) { relay, listener in
            try converse(relay, relay.listener(), listener)
            let record = try relay.end()
            #expect(record.summary == .init(.clientClosed, up: message, down: message))
            #expect(record.upstreamAddress == listener.address)
            #expect(record.upstream == "[::1]:\(listener.address.port ?? 0)")
        }
    }

    @Test func severalListenersOfOneRelay_leadToItsUpstream() async throws {
        let loopback = ListenAddress.address(.ipv4(.loopback, port: 0))
        try await run([loopback, loopback, loopback], workers: 1) { relay, listener in
            #expect(Set(relay.service.listeners.map(\.address)).count == 3)
            for bound in relay.service.listeners { try converse(relay, bound.address, listener) }
            #expect(try relay.endedInOrder(3).map(\.listener) == relay.service.listeners.map(\.address))
        }
    }

    /// The kernel distributes clients over the workers' sockets; every socket must be served.
    @Test func severalWorkers_everyClientIsServed() async throws {
        try await run([.address(.ipv4(.loopback, port: 0))], workers: 4) { relay, listener in
            #expect(ProcessStats.threads(named: "worker-").count == 4)
            let address = try relay.listener()
            for _ in 0..<200 { try converse(relay, address, listener) }
            let records = try relay.ended(200)
            #expect(Set(records.map(\.id)).count == 200)
        }
    }

    // MARK: Unix sockets

    @Test func unixOnBothSides_carriesBytesAndRemovesItsFile() async throws {
        try await TemporaryFolder.run { folder in
            let path = folder + "/listen"
            try await RelayHarness.run(
                workers: 2, listen: .unix(path: path, mode: 0o600), upstream: .unix(path: folder + "/upstream")
            ) { relay, listener in
                var facts = stat()
                #expect(lstat(path, &facts) == 0)
                #expect(facts.st_mode == S_IFSOCK | 0o600)
                for _ in 0..<20 { try converse(relay, relay.listener(), listener) }
                let (client, upstream) = try relay.streamingPair(listener)
                client.close()
                upstream.close()
                let records = try relay.endedInOrder(21)
                #expect(records[0].summary == .init(.clientClosed, up: message, down: message))
                #expect(records[0].client == .unix(path: ""))
                #expect(records[20].bytesUp == UInt64(stream))
                relay.service.stop()
                try relay.join()
                #expect(lstat(path, &facts) != 0)
            }
        }
    }

    /// A Unix socket has no reset: the other leg is closed, and the record has the reason.
    @Test func unixUpstream_clientResets_isClosedAndRecorded() async throws {
        try await TemporaryFolder.run { folder in
            try await RelayHarness.run(upstream: .unix(path: folder + "/upstream")) { relay, listener in
                let (client, upstream) = try relay.pair(listener)
                try client.send(upBytes, 0..<message)
                try client.reset()
                #expect(try upstream.receiveToEnd(upBytes).count == message)
                #expect(try relay.end().end?.reason == .clientReset)
            }
        }
    }

    @Test func unixUpstream_closesWithUnreadBytes_isAResetToTheClient() async throws {
        try await TemporaryFolder.run { folder in
            try await RelayHarness.run(upstream: .unix(path: folder + "/upstream")) { relay, listener in
                let (client, upstream) = try relay.pair(listener)
                try client.send(upBytes, 0..<message)
                try upstream.send(downBytes, 0..<message)
                try Deadline.poll("it has bytes to leave unread") { upstream.hasBytes }
                upstream.close()
                #expect(try client.receiveToEnd(downBytes) == .reset(message))
                #expect(
                    try relay.end().summary
                        == .init(.upstreamReset, up: message, down: message, errno: "ECONNRESET"))
            }
        }
    }

    // MARK: Refusals

    /// Starts a service that must fail, and returns its message.
    private func refusal(_ listen: [ListenAddress], workers: Int = 1) async -> String? {
        let relay = RelaySettings(name: "web", listen: listen, upstream: .address(.ipv4(.loopback, port: 1)))
        do {
            try await RelayHarness.runAlone([relay], workers: workers) { _ in }
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test(arguments: [1, 2]) func portInUse_saysSoAndHowToFindTheOwner(workers: Int) async throws {
        try await Exclusive.run {
            let other = try PeerListener()
            let port = try #require(other.address.port)
            let text = await refusal([.address(other.address)], workers: workers)
            #expect(
                text == "cannot listen on 127.0.0.1:\(port) for relay web: Address already in use (EADDRINUSE); "
                    + "another process uses the port: `ss -ltnp 'sport = :\(port)'` shows which")
        }
    }

    @Test func portInUseByAnotherTapline_saysSo() async throws {
        try await run([.address(.ipv4(.loopback, port: 0))]) { relay, _ in
            let address = try relay.listener()
            let socket = try Socket(family: AF_INET)
            #expect(throws: Errno(EADDRINUSE)) { try bind(socket, address) }
        }
    }

    private func bind(_ socket: borrowing Socket, _ address: SocketAddress) throws(Errno) {
        try socket.bind(to: address, sharing: false)
    }

    @Test func foreignAddress_saysThatNoInterfaceHasIt() async throws {
        try await Exclusive.run {
            // 192.0.2.0/24 is for documentation (RFC 5737).
            let text = await refusal([.address(.ipv4(IPv4Address(bits: 0xC000_0201), port: 8080))])
            #expect(text?.contains("Cannot assign requested address (EADDRNOTAVAIL)") == true)
            #expect(text?.contains("no interface of this machine has that address") == true)
        }
    }

    @Test func unixFiles_inTheWay_saySo() async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let answering = try PeerListener(.unix(path: folder + "/answers"))
                close(open(folder + "/file", O_CREAT | O_WRONLY, 0o600))
                let inUse = await refusal([.unix(path: folder + "/answers", mode: 0o600)])
                #expect(inUse?.contains("another process listens on this socket") == true)
                let file = await refusal([.unix(path: folder + "/file", mode: 0o600)])
                #expect(file?.contains("a file that is not a socket exists there") == true)
                let missing = await refusal([.unix(path: folder + "/missing/socket", mode: 0o600)])
                #expect(missing?.contains("its directory does not exist") == true)
                answering.close()
            }
        }
    }

    /// Addresses that were bound before the refused one are released, including their files.
    @Test func secondListenerRefused_leavesNothingOfTheFirst() async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let other = try PeerListener()
                let text = await refusal([.unix(path: folder + "/first", mode: 0o600), .address(other.address)])
                #expect(text != nil)
                var facts = stat()
                #expect(lstat(folder + "/first", &facts) != 0)
            }
        }
    }
}
