import Foundation
import Testing

/// Many connections: nothing leaks, nothing grows, no client is dropped, and no loop spins while nothing moves.
struct LoadTests {
    @Test(.needs("python3")) func shortConnections_andAbruptOnes_leaveNothingBehind() async throws {
        try await scene(.heavy) { scene in
            let peers = try scene.start(Scene.peer("churn.py"))
            let tapline = try await scene.forward("127.0.0.1:0:\(try await scene.listening(peers))")
            // One-time allocations happen in the first round.
            try await churn(peers, tapline, round: 1, short: 2000, abrupt: 100, total: 2100)
            let descriptors = try ProcessFacts.descriptors(of: tapline.pid).count

            // 100 bytes each. Memory for waiting records stays with the allocator: if this process was delayed and did
            // not read them, that is much, and the next round decides. A leak repeats in every round.
            var (rounds, growth) = (0, Int.max)
            while growth >= 2 << 20, rounds < 3 {
                let memory = try ProcessFacts.privateMemory(of: tapline.pid)
                rounds += 1
                try await churn(
                    peers, tapline, round: 1 + rounds, short: 20_000, abrupt: 500, total: 2100 + 20_500 * rounds)
                #expect(try ProcessFacts.descriptors(of: tapline.pid).count == descriptors)
                growth = try ProcessFacts.privateMemory(of: tapline.pid) - memory
            }
            #expect(growth < 2 << 20, "grown by \(growth) bytes over 20,500 connections, \(rounds) times")

            let records = try await tapline.stop()
            let reasons = Dictionary(grouping: records, by: \.reason).mapValues(\.count)
            #expect(records.count == 2100 + 20_500 * rounds)
            #expect(Set(records.map(\.id)).count == records.count)
            let abrupt = ["client_reset"].compactMap { reasons[$0] }.reduce(0, +)
            let closed = ["client_closed", "upstream_closed"].compactMap { reasons[$0] }.reduce(0, +)
            #expect(abrupt == 100 + 500 * rounds && closed == 2000 + 20_000 * rounds, "\(reasons)")
        }
    }

    private func churn(
        _ peers: Program, _ tapline: TaplineProcess, round: Int, short: Int, abrupt: Int, total: Int
    ) async throws {
        peers.write("\(tapline.address) \(short) \(abrupt)\n")
        let said = try await peers.output.first(round, within: .seconds(300)) { $0.contains("\"good\": ") }[round - 1]
        #expect(said.contains("\"good\": \(short),") && said.contains("\"trouble\": null"), "\(said)")
        _ = try await tapline.program.output.first(total, where: EndRecord.isRecord)
    }

    @Test(.needs("python3"), .enabled(if: Host.mostDescriptors >= 10_000, "needs 10,000 descriptors a process"))
    func idleConnections_4000_costAKilobyteEachAndNoTime() async throws {
        try await scene(.heavy) { scene in
            let count = 4000
            let peers = try scene.start(Scene.peer("crowd.py"))
            let tapline = try await scene.forward("127.0.0.1:0:\(try await scene.listening(peers))")
            peers.write("open \(tapline.address) 100\n")
            try await peers.output.line(containing: "\"open\": 100}")
            let (memory, descriptors) = (
                try ProcessFacts.privateMemory(of: tapline.pid),
                try ProcessFacts.descriptors(of: tapline.pid).count
            )

            peers.write("open \(tapline.address) \(count)\n")
            try await peers.output.line(containing: "\"open\": \(count + 100)}", within: .seconds(90))
            #expect(try ProcessFacts.descriptors(of: tapline.pid).count == descriptors + 2 * count)
            let growth = try ProcessFacts.privateMemory(of: tapline.pid) - memory
            let each = Double(growth) / Double(count) / 1024
            #expect(each <= 1.1, "\(each) KiB for each of \(count) idle connections")
            // The best of three windows, because work after opening 4,000 connections is not a spinning loop.
            var load = Double.infinity
            for _ in 0..<3 where load >= 0.02 {
                load = min(load, try await ProcessFacts.load(of: tapline.pid, over: .seconds(4)))
            }
            #expect(load < 0.02, "\(load * 100) % of a core while \(count) connections are idle")

            peers.write("close\n")
            _ = try await tapline.program.output.first(count + 100, where: EndRecord.isRecord)
            #expect(try ProcessFacts.descriptors(of: tapline.pid).count == descriptors - 200)
        }
    }

    @Test(.needs("python3", "prlimit")) func descriptorLimit_thatIsSpent_letsClientsWaitAndServesAll() async throws {
        try await scene { scene in
            let count = 400
            let peers = try scene.start(Scene.peer("crowd.py"))
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await scene.listening(peers))", before: ["prlimit", "--nofile=256:256", "--"])
            peers.write("ask \(tapline.address) \(count)\n")
            try await peers.output.line(containing: "\"asking\": \(count)")
            let pause = try await tapline.program.errors.line(containing: "accepting is paused")
            #expect(pause.contains("\"reason\":\"descriptors\"") && pause.contains("\"level\":\"warning\""))
            // The others wait in the kernel's queue, and no loop spins meanwhile.
            try await tapline.expectIdle("accepting pauses")
            #expect(try ProcessFacts.descriptors(of: tapline.pid).count < 256)

            peers.write("finish\n")
            try await peers.output.line(containing: "\"answered\": \(count)")
            let records = try await tapline.records(count)
            #expect(records.allSatisfy { $0.bytesUp == 14 && $0.bytesDown == 14 && $0.reason == "client_closed" })
        }
    }

    /// With `max_connections`, clients wait in the same way.
    @Test(.needs("python3")) func mostConnections_reached_letsClientsWaitAndServesAll() async throws {
        try await scene { scene in
            let peers = try scene.start(Scene.peer("crowd.py"))
            let upstream = try await scene.listening(peers)
            let tapline = try await scene.run(
                relays: "  - { name: few, listen: '127.0.0.1:0', upstream: '\(upstream)', max_connections: 10 }")
            peers.write("ask \(tapline.address) 50\n")
            let pause = try await tapline.program.errors.line(containing: "accepting is paused")
            #expect(pause.contains("\"reason\":\"max_connections\"") && pause.contains("\"relay\":\"few\""))
            try await peers.output.line(containing: "\"asking\": 50")
            peers.write("finish\n")
            try await peers.output.line(containing: "\"answered\": 50")
            #expect(try await tapline.records(50).allSatisfy { $0.reason == "client_closed" && $0.relay == "few" })
        }
    }
}
