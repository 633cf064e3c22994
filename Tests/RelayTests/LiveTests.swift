import Configuration
import Sockets
import TestSupport
import Testing

@testable import Relay

/// The reported state of open connections.
@Suite struct LiveTests {
    @Test func openConnection_isShownAsItStands() async throws {
        try await RelayHarness.run { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            try client.send(upBytes, 0..<1000)
            try upstream.receive(upBytes, 0..<1000)
            let live = try #require(await relay.service.liveConnections(kernel: true).first)
            #expect(live.state == .open && live.age > 0)
            #expect(live.record.bytesUp == 1000 && live.record.bytesDown == 0)
            #expect(live.up.hasMoved && !live.down.hasMoved && !live.up.hasEnded)
            #expect(live.client?.address == live.record.client)
            #expect(live.upstream?.address == listener.address)
            let kernel = try #require(live.upstream?.kernel)
            #expect(kernel.info.segmentSize > 0 && kernel.receiveQueue == 0 && kernel.congestionControl != nil)
            #expect(await relay.service.liveConnections(kernel: false).first?.client?.kernel == nil)
            #expect(await relay.service.liveConnection(live.record.id)?.record.id == live.record.id)
            #expect(await relay.service.liveConnection(live.record.id + 1) == nil)

            client.endWriting()
            #expect(try upstream.receiveToEnd(upBytes, from: 1000) == .fin(1000))
            let half = try #require(await relay.service.liveConnection(live.record.id))
            #expect(half.state == .halfClosed && half.up.hasEnded && !half.down.hasEnded)
            upstream.close()
            client.close()
            try relay.ended()
        }
    }

    @Test func readerThatSleeps_isSeenInWhatIsHeld() async throws {
        try await RelayHarness.run(receiveBuffer: 4096) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            let sent = try client.sendUntilStalled(upBytes)
            var live = try #require(await relay.service.liveConnections(kernel: true).first)
            // The relay accepts nothing either while its thread is delayed: then it has yet to read what was sent.
            let deadline = Deadline()
            while live.up.held == 0 || (live.upstream?.kernel?.sendQueue ?? 0) == 0, !deadline.isOver {
                Deadline.letPass(.milliseconds(2))
                live = try #require(await relay.service.liveConnections(kernel: true).first)
            }
            #expect(live.up.held > 0 && live.down.held == 0)
            #expect(live.upstream?.kernel?.sendQueue ?? 0 > 0)
            try upstream.receive(upBytes, 0..<sent)
            let freed = try #require(await relay.service.liveConnections(kernel: true).first)
            #expect(freed.up.held == 0 && freed.record.bytesUp == UInt64(sent))
            client.close()
            upstream.close()
            try relay.ended()
        }
    }

    @Test func stats_stayWhileWorkersEndOneAfterTheOther() async throws {
        try await RelayHarness.run(workers: 4) { relay, listener in
            for _ in 0..<12 {
                let (client, upstream) = try relay.pair(listener)
                try client.send(upBytes, 0..<100)
                try upstream.receive(upBytes, 0..<100)
                client.close()
                upstream.close()
            }
            try relay.ended(12)
            let (client, upstream) = try relay.pair(listener)
            // Until it relays, one more connect time is to be counted.
            try client.send(upBytes, 0..<1)
            try upstream.receive(upBytes, 0..<1)
            let before = try #require(await relay.service.stats()["relay"])
            #expect(before.accepted == 13 && before.bytesUp == 1201 && before.connectTimes.count == 13)
            #expect(before.lifetimes.count == 12)
            // Three of the four have nothing left to do.
            relay.service.drain(within: .seconds(60))
            for _ in 0..<20 { #expect(await relay.service.stats()["relay"] == before) }
            client.close()
            upstream.close()
            try relay.ended(13)
            await relay.service.pulse()
            #expect(await relay.service.stats()["relay"]?.accepted == 13)
            try relay.join()
        }
    }

    @Test func failedConnect_isCountedByItsUpstream() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            let upstream = listener.address
            listener.close()
            let settings = RelaySettings(
                name: "relay", listen: [.address(.ipv4(.loopback, port: 0))], upstream: .address(upstream))
            try await RelayHarness.runAlone([settings]) { relay in
                let client = try relay.connect()
                try relay.ended()
                client.close()
                let stats = try #require(await relay.service.stats()["relay"])
                let kind = RelayStats.ConnectFailure(endpoint: "\(upstream)", reason: .connectRefused)
                #expect(stats.connectFailures == [kind: 1])
                #expect(stats.connectTimes.count == 0 && stats.lifetimes.count == 1)
            }
        }
    }
}
