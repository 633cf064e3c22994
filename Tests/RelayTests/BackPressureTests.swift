import Configuration
import Relay
import TestSupport
import Testing

/// `FAULTS.md`, "Back-pressure and fairness": no peer reads, and nothing may grow or spin.
@Suite struct BackPressureTests {
    /// The hundred sources send as much as they can.
    @Test(arguments: RelayHarness.Pump.allCases)
    func hundredStalledReaders_eachConnectionKeepsUnder64KiB(pump: RelayHarness.Pump) async throws {
        let count = 100
        try await RelayHarness.run(pump: pump, receiveBuffer: 64 << 10) { relay, listener in
            // What the first connection allocates stays: the scratch buffer, code, the runtime's caches.
            let (client, upstream) = try relay.streamingPair(listener)
            client.close()
            upstream.close()
            try relay.ended(1)
            let pairs = try (0..<count).map { _ in try relay.pair(listener) }
            try relay.awaitOpen(count)
            let before = try ProcessStats.privateMemory()
            let sent = try sendUntilAllStall(pairs.map(\.client))
            let growth = try ProcessStats.privateMemory() - before
            #expect(
                growth < count * 64 << 10 || ProcessStats.isSanitized, "\(growth / count / 1024) KiB a connection")
            #expect(relay.idleShare() < idle)
            // The peers read again: nothing was lost.
            for (number, pair) in pairs.enumerated() {
                pair.client.endWriting()
                #expect(try pair.upstream.receiveToEnd(upBytes) == .fin(sent[number]))
                pair.upstream.close()
            }
            let records = try relay.ended(count + 1)
            #expect(Set(records.map(\.bytesUp)) == Set(sent.map(UInt64.init) + [UInt64(stream)]))
        }
    }

    /// Sends on all of them in turn until none accepts more.
    private func sendUntilAllStall(_ peers: [Peer]) throws -> [Int] {
        var sent = peers.map { _ in 0 }
        var progress = true
        while progress {
            progress = false
            for (number, peer) in peers.enumerated() {
                let position = try peer.sendUntilStalled(upBytes, from: sent[number], quiet: .milliseconds(2))
                if position > sent[number] { progress = true }
                sent[number] = position
            }
        }
        return sent
    }

    @Test(arguments: RelayHarness.Pump.allCases)
    func bothFlowsStalled_nothingSpinsAndEverythingArrivesLater(pump: RelayHarness.Pump) async throws {
        try await RelayHarness.run(pump: pump) { relay, listener in
            let (client, upstream) = try relay.streamingPair(listener)
            let down = try Background("down") { try upstream.sendUntilStalled(downBytes, from: stream) }
            let up = try client.sendUntilStalled(upBytes, from: stream)
            let downEnd = try down.value()
            #expect(relay.idleShare() < idle)
            client.endWriting()
            upstream.endWriting()
            let receiver = try Background("up") { try upstream.receiveToEnd(upBytes, from: stream) }
            #expect(try client.receiveToEnd(downBytes, from: stream) == .fin(downEnd))
            #expect(try receiver.value() == .fin(up))
            let record = try relay.end()
            #expect((record.bytesUp, record.bytesDown) == (UInt64(up), UInt64(downEnd)))
            #expect(pump == .copy || (record.splicedUp > 0 && record.splicedDown > 0))
        }
    }

    /// Segments of ten bytes fill a pipe's slots long before its bytes. Then splice returns EAGAIN although the source
    /// is not empty; a relay that takes this for an empty source leaves the tail there.
    @Test(arguments: RelayHarness.Pump.allCases)
    func tinySegmentsBehindAFullDestination_fillTheSlots_noTailIsStuck(pump: RelayHarness.Pump) async throws {
        try await RelayHarness.run(pump: pump, receiveBuffer: 4 << 10) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            let reader = try Background("reader") { try upstream.receive(upBytes, 0..<stream) }
            try client.send(upBytes, 0..<stream)
            try reader.value()
            // The flow streams; now the reader sleeps: send step by step until the relay's own socket is full.
            var position = stream
            while try await hasDelivered(relay, position), position < 4 * stream {
                try client.send(upBytes, position..<position + 64 << 10)
                position += 64 << 10
            }
            let tail = position + 4000 * 10
            let sender = try Background("client") { [position] in
                for start in stride(from: position, to: tail, by: 10) { try client.send(upBytes, start..<start + 10) }
            }
            #expect(relay.idleShare() < idle)
            try upstream.receive(upBytes, stream..<tail, piece: 8 << 10)
            try sender.value()
            #expect(relay.idleShare() < idle)
            client.close()
            #expect(try upstream.receiveToEnd(upBytes, from: tail) == .fin(tail))
            upstream.close()
            #expect(try relay.end().bytesUp == UInt64(tail))
        }
    }

    /// Whether everything sent so far reaches the destination's socket soon.
    private func hasDelivered(_ relay: RelayHarness, _ position: Int) async throws -> Bool {
        let moment = Deadline(in: .milliseconds(100))
        while !moment.isOver {
            if try await relay.live().bytesUp == UInt64(position) { return true }
            Deadline.letPass(.milliseconds(1))
        }
        return false
    }

    @Test(arguments: RelayHarness.Pump.allCases)
    func tinySegments_everyOneArrivesWithoutABigOneBehind(pump: RelayHarness.Pump) async throws {
        try await RelayHarness.run(pump: pump) { relay, listener in
            let (client, upstream) = try relay.streamingPair(listener)
            let end = stream + 20_000
            let sender = try Background("client") {
                for start in stride(from: stream, to: end, by: 10) { try client.send(upBytes, start..<start + 10) }
            }
            try upstream.receive(upBytes, stream..<end, piece: 7)
            try sender.value()
            #expect(relay.idleShare() < idle)
        }
    }

    @Test func manyIdleConnections_costNoTimeAndLittleMemory() async throws {
        let count = 1000
        try await RelayHarness.run { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            try client.send(upBytes, 0..<message)
            try upstream.receive(upBytes, 0..<message)
            let before = try ProcessStats.privateMemory()
            var pairs: [(client: Peer, upstream: Peer)] = []
            pairs.reserveCapacity(count)
            for _ in 0..<count { pairs.append(try relay.pair(listener)) }
            for pair in pairs {
                try pair.client.send(upBytes, 0..<message)
                try pair.upstream.receive(upBytes, 0..<message)
            }
            let growth = (try ProcessStats.privateMemory() - before) / count
            // It includes the test's own peers; the exact figure is measured with the built program.
            #expect(growth < 4 << 10 || ProcessStats.isSanitized, "\(growth) bytes a connection")
            #expect(relay.idleShare() < idle)
            for pair in pairs {
                pair.client.close()
                #expect(try pair.upstream.receiveToEnd(upBytes, from: message) == .fin(message))
                pair.upstream.close()
            }
            try relay.ended(count)
            client.close()
            upstream.close()
            try relay.ended(count + 1)
        }
    }
}
