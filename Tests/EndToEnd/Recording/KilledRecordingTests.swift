import Foundation
import Testing

/// The state of a recording after a SIGKILL in the middle of a transfer.
struct KilledRecordingTests {
    private struct Mark: Decodable {
        var count: UInt64
    }

    /// Twenty times, five in parallel.
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
        let folder = scene.path("killed-\(number)")
        // With `block`, because a busy machine can be behind by more than a buffer.
        let configuration = try scene.file(
            "killed-\(number).yaml",
            """
            log: { format: json }
            relays:
              - name: web
                listen: 127.0.0.1:0
                upstream: \(try await scene.listening(ticker))
                record: { directory: '\(folder)', rotate: { size: 0 }, when_full: block }
            """)
        let tapline = try scene.start([TaplineProcess.binary, "run", "--config", configuration])
        let line = try await tapline.errors.line(containing: " listens on ")
        let announced = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
        let path = try #require(try scene.recordings(in: folder).first)
        ticker.write("\(announced["listener"] ?? "")\n")
        // At another moment each time, but not before bytes must be in the file.
        let marks = try await ticker.output.first(12 + number % 7) { $0.contains("\"time\"") }
        let mark = try JSONDecoder().decode(Mark.self, from: Data(marks[marks.count - 1].utf8))
        // Within a second, on a machine that is not overloaded. The rest of the file is less than a tenth.
        try await scene.eventually("what passed is in the file") {
            var file = stat()
            return stat(path, &file) == 0 && UInt64(file.st_size) >= mark.count + mark.count / 10
        }
        try await tapline.send(SIGKILL)
        #expect(try await tapline.exit() == .signalled(SIGKILL))
        try await ticker.output.line(containing: "\"over\"")

        let facts = try await scene.facts(of: [path])
        let conversation = try #require(facts.conversations.first)
        #expect(facts.files[0].trouble == nil && conversation.trouble == nil && conversation.down.missing == 0)
        #expect(conversation.down.count >= mark.count, "run \(number)")
        let hash = try await scene.run(Scene.peer("ticker.py") + ["prefix", "\(conversation.down.count)"])
        #expect(hash.contains(conversation.down.sha256))

        // tshark reads it with only this error, at the very end, for which it exits with 2.
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
