import Configuration
import Glibc
import Relay
import Sockets
import TestSupport
import Testing

/// A configuration is applied while connections are open.
@Suite struct ApplyTests {
    private static let given = Monitor<Set<SocketAddress>>([])

    /// The address of a free port, a different one each time, which the caller binds. No client that connects meanwhile
    /// gets it, because clients use another loopback address.
    private static func freeAddress() throws -> SocketAddress {
        while true {
            let listener = try PeerListener(.ipv4(IPv4Address(bits: 0x7F0C_2238), port: 0))
            defer { listener.close() }
            if given.withLock({ $0.insert(listener.address).inserted }) { return listener.address }
        }
    }

    private static func relay(
        _ name: String, _ listen: [ListenAddress], to listener: PeerListener, timeouts: Timeouts = Timeouts(),
        maxConnections: Int = 100
    ) -> RelaySettings {
        RelaySettings(
            name: name, listen: listen, upstream: .address(listener.address), timeouts: timeouts,
            maxConnections: maxConnections)
    }

    private func apply(
        _ relays: [RelaySettings], to relay: RelayHarness, generation: Int = 2, drain: Duration = .seconds(60)
    ) throws {
        try relay.service.apply(Configuration(relays: relays), generation: generation, drain: drain)
    }

    /// One message up and both ends in order: a connection that must not fail.
    private func converse(_ address: SocketAddress, _ listener: PeerListener) throws {
        let client = try Peer.connect(to: address)
        let upstream = try listener.accept()
        try client.send(upBytes, 0..<message)
        client.close()
        #expect(try upstream.receiveToEnd(upBytes) == .fin(message))
        upstream.close()
    }

    private func awaitRefusal(_ address: SocketAddress) throws {
        try Deadline.poll("\(address) refuses") { (try? Peer.connect(to: address))?.close() == nil }
    }

    @Test func addedRelay_answers_andRemovedOneRefusesWhileItsConnectionsDrain() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let (first, second) = (try Self.freeAddress(), try Self.freeAddress())
            let old = Self.relay("old", [.address(first)], to: listener)
            // With another upstream, because otherwise it would be a renamed relay; and a probe for the old listener
            // reaches the old upstream.
            let other = try PeerListener()
            let new = Self.relay("new", [.address(second)], to: other)
            try await RelayHarness.runAlone([old], workers: 2) { relay in
                let ending = try Peer.connect(to: first)
                let endingUpstream = try listener.accept()
                let staying = try Peer.connect(to: first)
                let stayingUpstream = try listener.accept()
                try apply([new], to: relay)
                try awaitRefusal(first)
                try converse(second, other)
                #expect(try relay.lastEnded(1, of: "new").generation == 2)

                ending.close()
                #expect(try endingUpstream.receiveToEnd(upBytes) == .fin(0))
                endingUpstream.close()
                #expect(try relay.end(of: ending).end?.reason == .clientClosed)
                #expect(try relay.end(of: ending).generation == 1)
                // The other one continues.
                try staying.send(upBytes, 0..<message)
                try stayingUpstream.receive(upBytes, 0..<message)
            }
        }
    }

    @Test func removedRelaysConnections_endAtTheDrainsBound() async throws {
        try await Exclusive.run {
            let (listener, other) = (try PeerListener(), try PeerListener())
            let (first, second) = (try Self.freeAddress(), try Self.freeAddress())
            let old = Self.relay("old", [.address(first)], to: listener)
            let new = Self.relay("new", [.address(second)], to: other)
            try await RelayHarness.runAlone([old], workers: 2) { relay in
                let staying = try Peer.connect(to: first)
                let upstream = try listener.accept()
                try apply([new], to: relay, drain: .seconds(1))
                #expect(try relay.end(of: staying).end?.reason == .drained)
                #expect(try staying.receiveToEnd(downBytes) == .reset(0))
                #expect(try upstream.receiveToEnd(upBytes) == .reset(0))
            }
        }
    }

    @Test func unchangedListener_keepsTheClientsInItsQueue() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let address = try Self.freeAddress()
            let one = Self.relay("relay", [.address(address)], to: listener, maxConnections: 1)
            try await RelayHarness.runAlone([one]) { relay in
                let (first, firstUpstream) = try relay.pair(listener)
                // Connected by the kernel but not accepted, because the relay is at its limit of one connection.
                let waiting = try Peer.connect(to: address)
                try waiting.send(upBytes, 0..<message)
                try apply([Self.relay("relay", [.address(address)], to: listener, maxConnections: 2)], to: relay)
                let upstream = try listener.accept()
                try upstream.receive(upBytes, 0..<message)
                waiting.close()
                upstream.close()
                #expect(try relay.end(of: waiting).generation == 2)
                first.close()
                firstUpstream.close()
                #expect(try relay.end(of: first).generation == 1)
            }
        }
    }

    @Test func renamedRelay_keepsItsConnections() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let address = try Self.freeAddress()
            try await RelayHarness.runAlone([Self.relay("before", [.address(address)], to: listener)]) { relay in
                let client = try Peer.connect(to: address)
                let upstream = try listener.accept()
                try apply([Self.relay("after", [.address(address)], to: listener)], to: relay, drain: .zero)
                try converse(address, listener)
                #expect(try relay.lastEnded(1, of: "after").generation == 2)
                try client.send(upBytes, 0..<message)
                try upstream.receive(upBytes, 0..<message)
                client.close()
                upstream.close()
                #expect(try relay.lastEnded(1, of: "before").generation == 1)
            }
        }
    }

    /// The difference reports a rename, so nothing else may cut its connections: also if the addresses are in another
    /// order, if an upstream name or a limit changed with the name, and after a second rename.
    @Test func renamedRelay_withItsAddressesInAnotherOrder_keepsItsConnections() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let (a, b) = (try Self.freeAddress(), try Self.freeAddress())
            let before = Self.relay("before", [.address(a), .address(b)], to: listener, maxConnections: 2)
            let after = Self.relay("after", [.address(b), .address(a)], to: listener, maxConnections: 2)
            try await RelayHarness.runAlone([before], workers: 2) { relay in
                let difference = ConfigurationDifference(
                    from: Configuration(relays: [before]), to: Configuration(relays: [after]))
                #expect(difference.renamed.map(\.old) == ["before"] && difference.removed == [])

                let client = try Peer.connect(to: a)
                let upstream = try listener.accept()
                try apply([after], to: relay, drain: .zero)
                try client.send(upBytes, 0..<message)
                try upstream.receive(upBytes, 0..<message)
                try apply([Self.relay("third", [.address(a), .address(b)], to: listener)], to: relay, generation: 3)
                // A change of another setting examines every connection again.
                try apply(
                    [Self.relay("third", [.address(a), .address(b)], to: listener, maxConnections: 1)], to: relay,
                    generation: 4, drain: .zero)
                try client.send(upBytes, message..<2 * message)
                try upstream.receive(upBytes, message..<2 * message)
                // It uses the only slot: the limit applies to the relay, whatever its name is.
                let waiting = try Peer.connect(to: b)
                try Deadline.poll("accepting is paused") {
                    relay.log.all.contains { $0.contains("accepting is paused") }
                }
                client.close()
                #expect(try upstream.receiveToEnd(upBytes, from: 2 * message) == .fin(2 * message))
                upstream.close()
                #expect(try relay.lastEnded(1, of: "before").end?.reason == .clientClosed)
                let next = try listener.accept()
                waiting.close()
                next.close()
                #expect(try relay.lastEnded(1, of: "third").generation == 4)
            }
        }
    }

    @Test func renamedRelayOnAFreePort_keepsItsPort() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let free = ListenAddress.address(.ipv4(.loopback, port: 0))
            try await RelayHarness.runAlone([Self.relay("before", [free], to: listener)]) { relay in
                let address = try relay.listener("before")
                try apply([Self.relay("after", [free], to: listener)], to: relay)
                #expect(try relay.listener("after") == address)
                let both = [Self.relay("after", [free], to: listener), Self.relay("new", [free], to: listener)]
                try apply(both, to: relay, generation: 3)
                #expect(try relay.listener("after") == address)
                #expect(try relay.listener("new") != address)
                try converse(address, listener)
            }
        }
    }

    @Test func stats_continueOverReloadsByName_andCountOpenConnections() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let address = try Self.freeAddress()
            let relays = [Self.relay("relay", [.address(address)], to: listener)]
            try await RelayHarness.runAlone(relays, workers: 2) { relay in
                try converse(address, listener)
                try relay.ended(1)
                var wanted = RelayStats()
                wanted.accepted = 1
                wanted.ended = [.clientClosed: 1]
                wanted.bytesUp = UInt64(message)
                #expect(await relay.service.stats().mapValues(\.withoutTimes) == ["relay": wanted])

                try apply([Self.relay("relay", [.address(address)], to: listener, maxConnections: 7)], to: relay)
                let client = try Peer.connect(to: address)
                let upstream = try listener.accept()
                try client.send(upBytes, 0..<message)
                try upstream.receive(upBytes, 0..<message)
                wanted.accepted = 2
                wanted.bytesUp += UInt64(message)
                #expect(await relay.service.stats().mapValues(\.withoutTimes) == ["relay": wanted])
                #expect(wanted.open == 1)

                // Removed and added again: it is the same relay.
                try apply([Self.relay("other", [.address(address)], to: listener)], to: relay, generation: 3)
                try apply(relays, to: relay, generation: 4)
                client.close()
                upstream.close()
                try relay.ended(2)
                wanted.ended = [.clientClosed: 2]
                #expect(await relay.service.stats().mapValues(\.withoutTimes) == ["relay": wanted])
            }
        }
    }

    @Test func addressMovedToAnotherRelay_isNeverUnbound() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let (a, b) = (try Self.freeAddress(), try Self.freeAddress())
            func relays(left: SocketAddress, right: SocketAddress) -> [RelaySettings] {
                [
                    Self.relay("left", [.address(left)], to: listener),
                    Self.relay("right", [.address(right)], to: listener),
                ]
            }
            try await RelayHarness.runAlone(relays(left: a, right: b), workers: 2) { relay in
                for generation in 2...21 {
                    let swapped = generation % 2 == 0
                    try apply(
                        relays(left: swapped ? b : a, right: swapped ? a : b), to: relay, generation: generation)
                    // Either upstream must answer, whichever relay the client reaches.
                    try converse(a, listener)
                    try converse(b, listener)
                }
                #expect(Set(relay.service.listeners.map(\.address)) == [a, b])
                #expect(try relay.ended(40).allSatisfy { $0.end?.reason == .clientClosed })
            }
        }
    }

    @Test func everyInterfaceAndOneAddressOfIt_changePlaces() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let address = try Self.freeAddress()
            let port = address.port ?? 0
            let wide = Self.relay("relay", [.address(.ipv4(.any, port: port))], to: listener)
            let narrow = Self.relay("relay", [.address(address)], to: listener)
            try await RelayHarness.runAlone([wide], workers: 2) { relay in
                try converse(address, listener)
                for generation in 2...9 {
                    let now = generation % 2 == 0 ? narrow : wide
                    try apply([now], to: relay, generation: generation)
                    try converse(address, listener)
                    #expect(relay.service.listeners.map(\.address) == now.listen.flatMap(\.socketAddresses))
                }
            }
        }
    }

    @Test func addressInUse_nothingChangesAndNothingStaysBound() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let address = try Self.freeAddress()
            let old = Self.relay("old", [.address(address)], to: listener)
            var wanted = try (1...19).map { Self.relay("new\($0)", [.address(try Self.freeAddress())], to: listener) }
            wanted.insert(Self.relay("taken", [.address(listener.address)], to: listener), at: 7)
            try await RelayHarness.runAlone([old]) { relay in
                let client = try Peer.connect(to: address)
                let upstream = try listener.accept()
                let error = #expect(throws: SystemError.self) { try apply(wanted, to: relay) }
                #expect(error?.errno.code == EADDRINUSE)
                #expect("\(try #require(error))".contains("listen on \(listener.address) for relay taken"))
                #expect(relay.service.listeners.map(\.address) == [address])
                for relay in wanted where relay.name != "taken" {
                    for free in relay.listen.flatMap(\.socketAddresses) {
                        #expect(throws: TestFailure.self) { _ = try Peer.connect(to: free) }
                    }
                }
                try converse(address, listener)
                client.close()
                upstream.close()
                #expect(try relay.ended(2).allSatisfy { $0.generation == 1 && $0.relay == "old" })
            }
        }
    }

    @Test func unixListener_comesAndGoesWithItsFile() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            try await TemporaryFolder.run { folder in
                let address = try Self.freeAddress()
                let path = folder + "/relay.sock"
                let tcp = Self.relay("relay", [.address(address)], to: listener)
                func both(_ mode: UInt16) -> RelaySettings {
                    Self.relay("relay", [.address(address), .unix(path: path, mode: mode)], to: listener)
                }
                func mode() -> mode_t? {
                    var facts = stat()
                    return lstat(path, &facts) == 0 ? facts.st_mode & 0o777 : nil
                }
                try await RelayHarness.runAlone([tcp], workers: 2) { relay in
                    try apply([both(0o660)], to: relay)
                    #expect(mode() == 0o660)
                    try converse(.unix(path: path), listener)
                    try apply([both(0o600)], to: relay, generation: 3)
                    #expect(mode() == 0o600)
                    try converse(.unix(path: path), listener)
                    try apply([tcp], to: relay, generation: 4)
                    #expect(mode() == nil)
                    try converse(address, listener)
                }
            }
        }
    }

    @Test func changedTimeouts_areForNewConnectionsOnly() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let address = try Self.freeAddress()
            let patient = Self.relay("relay", [.address(address)], to: listener)
            let hasty = Self.relay(
                "relay", [.address(address)], to: listener, timeouts: Timeouts(idle: .milliseconds(300)))
            try await RelayHarness.runAlone([patient]) { relay in
                let old = try Peer.connect(to: address)
                let oldUpstream = try listener.accept()
                try apply([hasty], to: relay)
                let new = try Peer.connect(to: address)
                let newUpstream = try listener.accept()
                #expect(try relay.end(of: new).end?.reason == .idleTimeout)
                #expect(relay.endedCount == 1)
                try old.send(upBytes, 0..<message)
                try oldUpstream.receive(upBytes, 0..<message)
                old.close()
                oldUpstream.close()
                #expect(try relay.end(of: old).end?.reason == .clientClosed)
                newUpstream.close()
            }
        }
    }
}

extension RelayStats {
    /// Without the values that depend on the machine.
    fileprivate var withoutTimes: RelayStats {
        var stats = self
        stats.connectTimes = DurationHistogram(.connect)
        stats.lifetimes = DurationHistogram(.connection)
        stats.recentConnects = RecentConnects()
        return stats
    }
}
