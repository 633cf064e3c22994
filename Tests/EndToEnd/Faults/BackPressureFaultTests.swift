import Foundation
import Testing

/// `FAULTS.md`, "Back-pressure and fairness", with the built program.
struct BackPressureFaultTests {
    /// The bytes that each source offers: more than any reader receives.
    private static let offered = 1 << 30

    @Test(.needs("python3")) func hundredReadersStall_eachSourceHasAGigabyte_costsUnder64KiBEachAndNoTime() async throws
    {
        try await scene(.heavy) { scene in
            let count = 100
            let peers = try scene.start(Scene.peer("stalled.py"))
            let tapline = try await scene.forward("127.0.0.1:0:\(try await scene.listening(peers))")
            let bare = try ProcessFacts.privateMemory(of: tapline.pid)
            // One-time allocations happen with the first of them, and the buffers of a hundred stay with the allocator.
            for first in [1, count - 1] {
                peers.write("start \(tapline.address) \(first) \(Self.offered)\n")
                try await peers.output.line(containing: "\"stalled\": \(first),", within: .seconds(120))
                peers.write("read\n")
                try await peers.output.line(containing: "\"agreeing\": \(first)}", within: .seconds(120))
            }
            _ = try await tapline.records(count)
            let footing = try await tapline.steadyFooting(in: scene)

            peers.write("start \(tapline.address) \(count) \(Self.offered)\n")
            let said = try await peers.output.line(containing: "\"stalled\": \(count),", within: .seconds(120))
            let stalled = try JSONDecoder().decode([String: Int].self, from: Data(said.utf8))
            #expect(stalled["most"] ?? .max < Self.offered, "the relay read without a limit")
            let growth = try ProcessFacts.privateMemory(of: tapline.pid) - bare
            #expect(growth < count * 64 << 10, "\(growth / count >> 10) KiB for each of \(count)")
            try await tapline.expectIdle("\(count) readers sleep, and everything is full")

            // They wake up one after the other, and nothing is missing.
            peers.write("read\n")
            try await peers.output.line(containing: "\"agreeing\": \(count)}", within: .seconds(120))
            let records = try await tapline.records(2 * count).dropFirst(count)
            #expect(records.allSatisfy { $0.reason == "client_closed" && $0.bytesDown == 0 })
            #expect(records.reduce(0) { $0 + $1.bytesUp } == UInt64(stalled["total"] ?? 0))
            try await tapline.expectFlat(since: footing, in: scene)
        }
    }

    /// A reader that reads nothing does not count as traffic either: bytes in buffers do not move.
    @Test(.needs("python3", "curl"), arguments: ["client", "upstream"])
    func readerThatStalls_endsAtTheIdleTimeout(sleeper: String) async throws {
        // Long enough for a busy machine, including the first conversations of the bench.
        try await faultScene(.heavy, settings: "timeouts: { idle: 12s }") { bench in
            try await bench.open("a")
            let sender = sleeper == "client" ? "a'" : "a"
            try await bench.puppet.fill(sender, quiet: 1)
            let record = try await bench.records(1)[0]
            #expect(record.reason == "idle_timeout" && record.closedBy == "tapline" && record.durationMs >= 12_000)
            #expect((sleeper == "client" ? record.bytesDown : record.bytesUp) > 0)
            #expect(try await bench.puppet.receiveToEnd(sender).end == "reset")
            try await bench.close("a")
            try await bench.expectFlat()
        }
    }

    /// The loop that 500 clients share with a stream at full speed serves their messages in time. The best of five
    /// rounds, because the machine may be busy with something else.
    @Test(.ofMakeFaults, .needs("python3")) func firehoseWith500Talkers_99InAHundredAnswersTakeUnder20Milliseconds()
        async throws
    {
        try await scene(.heavy) { scene in
            let peers = try scene.start(Scene.peer("talkers.py"))
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await scene.listening(peers))", options: ["--workers", "1"])
            var best = Double.infinity
            for round in 1...5 where best >= 20 {
                peers.write("\(tapline.address) 500 6\n")
                let said = try await peers.output.first(round, within: .seconds(90)) { $0.contains("\"p99\"") }[
                    round - 1]
                let facts = try JSONDecoder().decode([String: Double].self, from: Data(said.utf8))
                #expect(facts["answers"] ?? 0 > 1000 && facts["carried"] ?? 0 > Double(1 << 24), "\(said)")
                best = min(best, facts["p99"] ?? .infinity)
            }
            #expect(best < 20, "the 99th percentile was \(best) ms at best")
        }
    }
}
