import Configuration
import Relay
import Sockets
import TestSupport
import Testing

/// Ends that Tapline decides: timeouts, `max_connections`, a kill. Each resets both legs.
@Suite struct LimitTests {
    /// Tests in which bytes pass before the timeout are in `LongWaitTests`, which has its own clock.
    private func endsByItself(
        _ timeouts: Timeouts, _ reason: EndReason, after milliseconds: Int64
    ) async throws {
        try await RelayHarness.run(timeouts: timeouts) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            let record = try relay.end()
            #expect(record.summary == .init(reason, up: 0, down: 0))
            #expect(record.end?.reason.closedBy == .tapline)
            #expect((record.end?.duration ?? 0) >= milliseconds * 1_000_000)
            #expect(try client.receiveToEnd(downBytes) == .reset(0))
            #expect(try upstream.receiveToEnd(upBytes) == .reset(0))
        }
    }

    @Test func idle_forTheTimeout_ends() async throws {
        try await endsByItself(Timeouts(idle: .milliseconds(300)), .idleTimeout, after: 300)
    }

    @Test func lifetime_reached_ends() async throws {
        try await endsByItself(Timeouts(lifetime: .milliseconds(300)), .lifetime, after: 300)
    }

    @Test func lifetime_inMidStream_ends() async throws {
        try await RelayHarness.run(timeouts: Timeouts(lifetime: .milliseconds(300))) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            let sender = try Background("client") { try client.send(upBytes, 0..<1 << 40) }
            let receiver = try Background("upstream") { try upstream.receiveToEnd(upBytes) }
            let record = try relay.end()
            #expect(record.end?.reason == .lifetime)
            #expect(try receiver.value().ending == .reset)
            #expect(throws: TestFailure.self) { try sender.value() }
        }
    }

    @Test func kill_openConnection_endsItAndNoOther() async throws {
        try await RelayHarness.run(workers: 2) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            let first = try await relay.live()
            let (other, otherUpstream) = try relay.pair(listener)
            #expect(await relay.service.kill(first.id))
            #expect(try client.receiveToEnd(downBytes) == .reset(0))
            #expect(try upstream.receiveToEnd(upBytes) == .reset(0))
            let record = try relay.end()
            #expect(record.id == first.id)
            #expect(record.summary == .init(.killed, up: 0, down: 0))
            #expect(await !relay.service.kill(first.id), "it is gone")
            #expect(await !relay.service.kill(4711))
            try other.send(upBytes, 0..<message)
            try otherUpstream.receive(upBytes, 0..<message)
        }
    }

    @Test func kill_whileConnecting_givesUpTheAttempt() async throws {
        try await Exclusive.run {
            let hole = try PeerListener.blackHole()
            try await RelayHarness.runAlone([.to(.address(hole.address))]) { relay in
                let client = try relay.connect()
                try relay.awaitOpen(1)
                let live = try await relay.live()
                #expect(await relay.service.kill(live.id))
                #expect(try client.receiveToEnd(downBytes) == .reset(0))
                #expect(try relay.end().summary == .init(.killed, up: 0, down: 0))
            }
        }
    }

    /// At the limit accepting pauses; clients in the kernel's queue are served when others leave.
    @Test(arguments: [1, 2])
    func maxConnections_reached_acceptingPausesAndAllAreServedInTheEnd(workers: Int) async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let settings = RelaySettings.to(.address(listener.address), maxConnections: 3)
            try await RelayHarness.runAlone([settings], workers: workers) { relay in
                let clients = try (0..<40).map { _ in try relay.connect() }
                for client in clients {
                    try client.send(upBytes, 0..<message)
                    client.endWriting()
                }
                var upstreams = try (0..<3).map { _ in try listener.accept() }
                try Deadline.poll("accepting is paused") {
                    relay.log.contains("accepting is paused", "reason=max_connections")
                }
                #expect(relay.idleShare() < idle, "a paused listener does not spin")
                #expect(!listener.isAwaited, "no client was accepted beyond the limit")
                #expect(relay.service.openConnections == 3)
                var served = 0
                while served < clients.count {
                    let upstream = upstreams.isEmpty ? try listener.accept() : upstreams.removeFirst()
                    #expect(relay.service.openConnections <= 3)
                    #expect(try upstream.receiveToEnd(upBytes) == .fin(message))
                    upstream.close()
                    served += 1
                }
                for client in clients { #expect(try client.receiveToEnd(downBytes) == .fin(0)) }
                for record in try relay.ended(clients.count) {
                    #expect(record.summary == .init(.clientClosed, up: message, down: 0))
                }
            }
        }
    }

    @Test func churn_leavesNothingBehind() async throws {
        try await RelayHarness.run(workers: 2) { relay, listener in
            let count = 1500
            var before = 0
            for round in 1...count {
                let (client, upstream) = try relay.pair(listener)
                try client.send(upBytes, 0..<message)
                client.endWriting()
                #expect(try upstream.receiveToEnd(upBytes) == .fin(message))
                upstream.close()
                client.close()
                if round == count / 3 { before = try ProcessStats.privateMemory() }
            }
            try relay.ended(count)
            // It includes the records and peers that the test keeps.
            let growth = try ProcessStats.privateMemory() - before
            #expect(growth < 4 << 20 || ProcessStats.isSanitized)
        }
    }
}
