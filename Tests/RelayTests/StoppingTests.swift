import Configuration
import Relay
import Sockets
import Synchronization
import TestSupport
import Testing

@Suite struct StoppingTests {
    @Test func stop_resetsEverythingAndRecordsIt() async throws {
        try await RelayHarness.run(workers: 2) { relay, listener in
            let pairs = try (0..<10).map { _ in try relay.pair(listener) }
            relay.service.stop()
            try relay.join()
            for pair in pairs {
                #expect(try pair.client.receiveToEnd(downBytes) == .reset(0))
                #expect(try pair.upstream.receiveToEnd(upBytes) == .reset(0))
            }
            for record in try relay.ended(pairs.count) {
                #expect(record.summary == .init(.drained, up: 0, down: 0))
                #expect(record.end?.reason.closedBy == .tapline)
            }
            #expect(await relay.service.connections() == [])
            #expect(await !relay.service.kill(1))
            #expect(throws: TestFailure.self, "no listener is left") { _ = try relay.connect() }
        }
    }

    @Test func stop_inMidConnectAndMidStream_leavesNothing() async throws {
        try await Exclusive.run {
            let hole = try PeerListener.blackHole()
            let listener = try PeerListener()
            let relays: [RelaySettings] = [
                .to(.address(listener.address)), .to(.address(hole.address), name: "hole"),
                .to(.name("localhost", port: 1), name: "name"),
            ]
            try await RelayHarness.runAlone(relays, workers: 2) { relay in
                let (client, upstream) = try relay.streamingPair(listener)
                let stalled = try Background("stall") { try client.sendUntilStalled(upBytes, from: stream) }
                _ = try relay.connect("hole")
                try relay.awaitOpen(2)
                _ = try stalled.value()
                _ = try relay.connect("name")
                relay.service.stop()
                relay.service.stop()
                try relay.join()
                _ = upstream
                let reasons = try relay.ended(2).compactMap(\.end?.reason)
                #expect(reasons.filter { $0 == .drained }.count >= 2)
            }
        }
    }

    @Test func drain_connectionsThatEndByThemselves_keepTheirReasonAndTheRestIsDrained() async throws {
        try await RelayHarness.run(workers: 2) { relay, listener in
            let pairs = try (0..<6).map { _ in try relay.pair(listener) }
            relay.service.drain(within: .seconds(60))
            try Deadline.poll("no client is accepted any more") { (try? relay.connect())?.close() == nil }
            for (number, pair) in pairs.enumerated() where number < 3 {
                try pair.client.send(upBytes, 0..<message)
                if number == 0 {
                    pair.client.endWriting()
                    #expect(try pair.upstream.receiveToEnd(upBytes) == .fin(message))
                    pair.upstream.close()
                } else {
                    try pair.upstream.receive(upBytes, 0..<message)
                    try (number == 1 ? pair.client : pair.upstream).reset()
                }
            }
            for pair in pairs[..<3] { _ = try relay.end(of: pair.client) }
            // Now the others: the shorter of the two limits counts.
            relay.service.drain(within: .milliseconds(300))
            try relay.join()
            for pair in pairs[3...] {
                #expect(try pair.client.receiveToEnd(downBytes) == .reset(0))
                #expect(try pair.upstream.receiveToEnd(upBytes) == .reset(0))
            }
            for (number, pair) in pairs.enumerated() {
                let reasons: [EndReason] = [.clientClosed, .clientReset, .upstreamReset, .drained, .drained, .drained]
                #expect(try relay.end(of: pair.client).end?.reason == reasons[number])
            }
        }
    }

    @Test func drain_nothingOpen_endsAtOnce() async throws {
        try await RelayHarness.run(workers: 2) { relay, _ in
            relay.service.drain(within: .seconds(60))
            try relay.join()
        }
    }

    @Test func drain_lastConnectionEnds_endsThen() async throws {
        try await RelayHarness.run { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            relay.service.drain(within: .seconds(60))
            client.close()
            upstream.close()
            try relay.join()
            #expect([.clientClosed, .upstreamClosed].contains(try relay.end().end?.reason))
        }
    }

    /// Clients in the queue when draining begins are accepted first, because closing the listener would reset them.
    @Test func drain_clientsInTheQueue_areServed() async throws {
        try await RelayHarness.run { relay, listener in
            let clients = try (0..<50).map { _ in try relay.connect() }
            relay.service.drain(within: .seconds(60))
            for client in clients { client.endWriting() }
            for _ in clients {
                let upstream = try listener.accept()
                #expect(try upstream.receiveToEnd(upBytes) == .fin(0))
                upstream.close()
            }
            for client in clients { #expect(try client.receiveToEnd(downBytes) == .fin(0)) }
            try relay.join()
        }
    }

    @Test func stop_whileDraining_endsAtOnce() async throws {
        try await RelayHarness.run { relay, listener in
            let (client, _) = try relay.pair(listener)
            relay.service.drain(within: .seconds(60))
            relay.service.stop()
            try relay.join()
            #expect(try client.receiveToEnd(downBytes) == .reset(0))
            #expect(try relay.end().end?.reason == .drained)
        }
    }

    /// Threads that connect clients one after the other while the body runs, enough to keep the listeners' queues
    /// filled.
    private func withNewcomers(_ address: SocketAddress, _ body: () throws -> Void) throws {
        let atWork = Monitor(0)
        let isOver = Flag()
        let newcomers = try (0..<Self.newcomers).map { number in
            try Background("newcomer \(number)") {
                var count = 0
                while !isOver.isSet {
                    // Not awaited: the system connects them by itself.
                    (try? Peer.start(to: address))?.close()
                    count += 1
                    if count == 10 { atWork.withLock { $0 += 1 } }
                }
            }
        }
        defer { isOver.set() }
        _ = try atWork.wait(for: "newcomers") { $0 == Self.newcomers ? true : nil }
        try body()
        isOver.set()
        for newcomer in newcomers { try newcomer.value() }
    }

    private static let newcomers = 16

    private final class Flag: Sendable {
        private let value = Atomic(false)
        var isSet: Bool { value.load(ordering: .relaxed) }
        func set() { value.store(true, ordering: .relaxed) }
    }

    /// The upstream refuses each client at once, so that there is always a free slot for the next one.
    @Test(arguments: [1, 2]) func drain_clientsKeepComing_endsByItsBound(workers: Int) async throws {
        try await Exclusive.run {
            let refusing = try PeerListener.refusingAddress()
            try await RelayHarness.runAlone([.to(.address(refusing))], workers: workers) { relay in
                try withNewcomers(relay.listener()) {
                    let start = Deadline.now
                    relay.service.drain(within: .milliseconds(300))
                    try relay.join()
                    // It ends even though clients still come. The margin is for a loaded machine.
                    #expect(Deadline.now - start < 20_000_000_000)
                }
            }
        }
    }

    @Test(arguments: [1, 2]) func stop_clientsKeepComing_endsAtOnce(workers: Int) async throws {
        try await Exclusive.run {
            let refusing = try PeerListener.refusingAddress()
            try await RelayHarness.runAlone([.to(.address(refusing))], workers: workers) { relay in
                try withNewcomers(relay.listener()) {
                    let start = Deadline.now
                    relay.service.stop()
                    try relay.join()
                    #expect(Deadline.now - start < 20_000_000_000)
                }
            }
        }
    }

    /// The relay ended these connections itself, so its addresses are in TIME_WAIT.
    @Test func restart_atOnce_bindsTheSameAddress() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let address = try PeerListener.freePort()
            let settings = RelaySettings(
                name: "relay", listen: [.address(address)], upstream: .address(listener.address))
            for _ in 0..<3 {
                try await RelayHarness.runAlone([settings], workers: 2) { relay in
                    let pairs = try (0..<5).map { _ in try relay.pair(listener) }
                    for pair in pairs {
                        pair.upstream.endWriting()
                        #expect(try pair.client.receiveToEnd(downBytes) == .fin(0))
                        pair.client.close()
                        pair.upstream.close()
                    }
                    _ = try relay.pair(listener)
                    try relay.ended(5)
                }
            }
        }
    }
}
