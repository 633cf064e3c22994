import Foundation
import Testing

/// A peer that has vanished while data waits for its acknowledgement, and one that only does not read.
@Suite(.needsNetworkNamespace, .needs("ip", "nft", "nsenter", "python3", "unshare"))
struct DeadPeerTests {
    @Test(.ofMakeFaults) func deadPeers_endAfterAMinute_andASleepingOneStays() async throws {
        try await scene(.waiting) { scene in
            let network = try await scene.network()
            let puppet = try scene.puppet(before: network.before)
            let upstreams = [
                try await puppet.listen("dead upstream"), try await puppet.listen("upstream of a dead client"),
                try await puppet.listen("upstream of a sleeping client"),
            ]
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(upstreams[0])", "127.0.0.1:0:\(upstreams[1])", "127.0.0.1:0:\(upstreams[2])",
                before: network.before)
            let start = ContinuousClock.now
            for (name, address) in zip(
                ["dead upstream", "upstream of a dead client", "upstream of a sleeping client"],
                tapline.listeners)
            {
                try await puppet.connect("client of \(name)", to: address)
                try await puppet.accept("server of \(name)", from: name)
                try await puppet.send("client of \(name)", "question")
                try await puppet.receive("server of \(name)", count: 8)
            }
            // Everything is full: the window of the sleeping client is closed, and its system answers every probe.
            let sent = try await puppet.fill("server of upstream of a sleeping client")

            // From now on nothing passes between the relay and the two dead peers in either direction.
            for address in [upstreams[0], tapline.listeners[1]] {
                let port = address.split(separator: ":")[1]
                for end in ["dport", "sport"] {
                    try await scene.run(network.before + ["nft", "add rule inet test in tcp \(end) \(port) drop"])
                }
            }
            try await puppet.send("client of dead upstream", "are you there?")
            try await puppet.send("server of upstream of a dead client", "are you there?")
            // The connections are at least that old when the silence begins.
            let age = Int((ContinuousClock.now - start) / Duration.milliseconds(1))

            let records = try await scene.rest { try await tapline.records(2, within: .seconds(180)) }
            let upstream = try #require(records.first { $0.upstream == upstreams[0] })
            #expect(upstream.reason == "upstream_timed_out" && upstream.closedBy == "upstream")
            #expect(upstream.errno == "ETIMEDOUT" && upstream.bytesUp == 22 && upstream.bytesDown == 0)
            let client = try #require(records.first { $0.upstream == upstreams[1] })
            #expect(client.reason == "client_timed_out" && client.closedBy == "client")
            #expect(client.errno == "ETIMEDOUT" && client.bytesUp == 8 && client.bytesDown == 14)
            for record in records {
                #expect(
                    (60_000..<age + 80_000).contains(record.durationMs), "\(record.reason): \(record.durationMs) ms")
            }
            // The other side gets a reset.
            #expect(try await puppet.receiveToEnd("client of dead upstream").end == "reset")
            #expect(try await puppet.receiveToEnd("server of upstream of a dead client").end == "reset")

            // The sleeping client has been silent for longer than that, wakes up, and nothing is missing.
            try await puppet.finish("server of upstream of a sleeping client")
            let answer = try await puppet.receiveToEnd("client of upstream of a sleeping client")
            #expect(answer.count == sent && answer.end == "fin")
        }
    }
}
