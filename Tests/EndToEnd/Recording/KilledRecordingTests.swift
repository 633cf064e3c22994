import Foundation
import Testing

/// What a recording is worth after a SIGKILL in the middle of a transfer.
struct KilledRecordingTests {
    private struct Mark: Decodable {
        var time: Double
        var count: UInt64
    }

    /// Twenty times, five at a time.
    @Test(.needs("python3", "tshark"), arguments: 0..<4)
    func kill_inMidTransfer_leavesWhatPassedASecondBefore(round: Int) async throws {
        try await scene(.heavy) { scene in
            try await withThrowingTaskGroup { group in
                for number in 0..<5 { group.addTask { try await kill(scene, 5 * round + number) } }
                try await group.waitForAll()
            }
        }
    }

    private func kill(_ scene: Scene, _ number: Int) async throws {
        let ticker = try scene.start(Scene.peer("ticker.py"))
        let path = scene.path("killed-\(number).pcapng")
        let tapline = try await scene.forward(
            "127.0.0.1:0:\(try await scene.listening(ticker))", options: ["--record", path])
        ticker.write(tapline.address + "\n")
        // At another moment each time, and not before something may be wanted.
        _ = try await ticker.output.first(12 + number % 7) { $0.contains("\"time\"") }
        let moment = Date().timeIntervalSince1970
        try await tapline.program.send(SIGKILL)
        #expect(try await tapline.program.exit() == .signalled(SIGKILL))
        try await ticker.output.line(containing: "\"over\"")

        let facts = try await scene.facts(of: [path])
        let conversation = try #require(facts.conversations.first)
        #expect(facts.files[0].trouble == nil && conversation.trouble == nil && conversation.down.missing == 0)
        let marks = try ticker.output.all.filter { $0.contains("\"time\"") }
            .map { try JSONDecoder().decode(Mark.self, from: Data($0.utf8)) }
        let wanted = try #require(marks.last { $0.time <= moment - 1 })
        #expect(conversation.down.count >= wanted.count, "run \(number)")
        let hash = try await scene.run(Scene.peer("ticker.py") + ["prefix", "\(conversation.down.count)"])
        #expect(hash.contains(conversation.down.sha256))

        // tshark reads it without an error but this one, at the very end, for which it exits with 2.
        let tshark = try scene.start(["tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.number"])
        tshark.finishInput()
        let status = try await tshark.exit()
        let complaints = tshark.errors.all.filter { !$0.hasPrefix("Running as user") }
        if facts.files[0].cut {
            #expect(complaints.allSatisfy { $0.contains("cut short in the middle of a packet") })
        } else {
            #expect(status == .exited(0) && complaints == [])
        }
        #expect(tshark.output.all.count { !$0.isEmpty } == facts.files[0].packets)
    }
}
