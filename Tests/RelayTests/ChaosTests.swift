import Configuration
import Relay
import TestSupport
import Testing

/// Stopping, draining and killing while connections are in every possible state. The harness checks for leaked
/// descriptors and threads, and for missing records.
@Suite struct ChaosTests {
    @Test(arguments: RelayHarness.Pump.allCases)
    func stopAmongConnectionsOfEveryKind_endsEachOnce(pump: RelayHarness.Pump) async throws {
        try await Exclusive.run {
            for round in 0..<24 {
                do {
                    try await chaos(pump, seed: UInt64(round))
                } catch {
                    throw TestFailure("round \(round): \(error)")
                }
            }
        }
    }

    private func chaos(_ pump: RelayHarness.Pump, seed: UInt64) async throws {
        let hole = try PeerListener.blackHole()
        let listener = try PeerListener(receiveBuffer: 64 << 10)
        let timeouts = Timeouts(halfClose: .milliseconds(seed % 3 == 0 ? 200 : 0))
        let relays: [RelaySettings] = [
            .to(.address(listener.address), timeouts: timeouts), .to(.address(hole.address), name: "hole"),
        ]
        var random = SeededRandom(seed: seed)
        var background: [Background<Void>] = []
        try await RelayHarness.runAlone(relays, pump: pump, workers: Int(seed % 3) + 1) { relay in
            for _ in 0..<16 {
                background += try connection(relay, listener, &random)
            }
            for record in await relay.service.connections() where Int.random(in: 0..<5, using: &random) == 0 {
                _ = await relay.service.kill(record.id)
            }
            if Bool.random(using: &random) {
                relay.service.drain(within: .milliseconds(Int.random(in: 0...60, using: &random)))
            }
            relay.service.stop()
            try relay.join()
        }
        // Other tests check what these connections receive; here they only have to end.
        for thread in background { try? thread.value() }
    }

    /// A connection in a random state, and the threads that keep it there.
    private func connection(
        _ relay: RelayHarness, _ listener: PeerListener, _ random: inout SeededRandom
    ) throws -> [Background<Void>] {
        let kind = Int.random(in: 0..<9, using: &random)
        if kind == 0 {
            let client = try relay.connect("hole")
            if Bool.random(using: &random) { client.resetNow() }
            return []
        }
        let (client, upstream) = try relay.pair(listener)
        switch kind {
        case 1: client.endWriting()
        case 2: upstream.endWriting()
        case 3: return [try Background("stall") { _ = try client.sendUntilStalled(upBytes, quiet: .milliseconds(10)) }]
        case 4:
            // A reset that waits for its reader.
            return [
                try Background("reset") {
                    _ = try upstream.sendUntilStalled(downBytes, quiet: .milliseconds(10))
                    upstream.resetNow()
                }
            ]
        case 5:
            return [
                try Background("send") { try client.send(upBytes, 0..<1 << 40) },
                try Background("receive") { _ = try upstream.receiveToEnd(upBytes) },
            ]
        case 6:
            try client.sendUrgent(upBytes, at: 0)
            client.endWriting()
        case 7:
            client.close()
            upstream.resetNow()
        default: break
        }
        return []
    }
}
