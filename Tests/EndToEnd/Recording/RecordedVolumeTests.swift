import Foundation
import Testing

/// Many connections at once, and one with a large volume.
struct RecordedVolumeTests {
    private static let seed =
        ProcessInfo.processInfo.environment["TAPLINE_SEED"] ?? "\(UInt32.random(in: 0...UInt32.max))"

    @Test(.needs("python3", "tshark")) func fiftyConnectionsAtOnce_areRecordedWhole() async throws {
        try await scene(.heavy) { scene in
            let options = ["--count", "50", "--at-once", "50", "--most", "300000", "--seed", Self.seed, "--hashes"]
            let transfers = try Transfers(in: scene, options)
            let folder = scene.path("fifty")
            // With `block`, because otherwise a record waits for its recording for only a second.
            let tapline = try await scene.run(
                relays: """
                      - name: fifty
                        listen: 127.0.0.1:0
                        upstream: \(try await scene.listening(transfers.program))
                        record: { directory: \(folder), when_full: block }
                    """)
            let pairs = try await transfers.play(through: tapline, count: 50, seed: Self.seed)
            try await tapline.stop()
            let paths = try scene.recordings(in: folder, of: "fifty.")
            let path = try #require(paths.count == 1 ? paths.first : nil)
            let facts = try await scene.facts(of: [path])
            #expect(facts.troubles == [] && facts.conversations.count == 50)
            for (outcome, record) in pairs {
                let place: Comment = "transfer \(outcome.number) of TAPLINE_SEED=\(Self.seed)"
                let one = try #require(facts.conversations.first { $0.id == record.id }, place)
                #expect(one.client == outcome.client, place)
                #expect(one.up.isWhole(outcome.up) && one.up.sha256 == outcome.upHash, place)
                #expect(one.down.isWhole(outcome.down) && one.down.sha256 == outcome.downHash, place)
                #expect(record.recordedBytes == outcome.up + outcome.down && record.droppedBytes == 0, place)
            }
            // Every transfer begins with a header, so each has data.
            try await Dissection(scene: scene, path: path)
                .expectWhole(Dictionary(uniqueKeysWithValues: (0..<50).map { ($0, .whole) }))
        }
    }

    private static let gibibyte = 1 << 30

    private static var hasRoom: Bool {
        var facts = statvfs()
        return statvfs("/dev/shm", &facts) == 0 && Int(facts.f_bavail) * Int(facts.f_bsize) > gibibyte * 5 / 4
    }

    /// Over five files, each within its size limit.
    @Test(.needs("python3", "tshark"), .enabled(if: hasRoom, "needs 1.25 GiB of room in /dev/shm"))
    func gibibyte_underBlock_isRecordedWholeInFilesThatAreWhole() async throws {
        try await scene(.heavy) { scene in
            let folder = "/dev/shm/tapline-e2e-\(UUID().uuidString)"
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let puppet = try scene.puppet()
            let tapline = try await scene.run(
                relays: """
                      - name: big
                        listen: 127.0.0.1:0
                        upstream: \(try await puppet.listen("upstream"))
                        record: { directory: \(folder), rotate: { size: 256MiB, keep: 0 }, when_full: block }
                    """)
            try await puppet.connect("a", to: tapline.address)
            try await puppet.accept("b", from: "upstream")
            let down = try await puppet.pass(Self.gibibyte, from: "b", to: "a", within: .seconds(300))
            for (one, other) in [("a", "b"), ("b", "a")] {
                try await puppet.finish(one)
                #expect(try await puppet.receiveToEnd(other).end == "fin")
            }
            let record = try #require(try await tapline.stop().first)
            #expect(record.recordedBytes == UInt64(Self.gibibyte) && record.droppedBytes == 0)
            let paths = try scene.recordings(in: folder, of: "big.")
            let facts = try await scene.facts(of: paths, within: .seconds(300))
            #expect(facts.troubles == [] && facts.conversations.count == 1 && facts.files.count == 5)
            #expect(facts.files.allSatisfy { $0.size <= 256 << 20 && $0.droppedSegments == 0 })
            #expect(facts.conversations[0].down.isWhole(down))
            for (number, path) in paths.enumerated() {
                let wireshark = Dissection(scene: scene, path: path)
                #expect(try await wireshark.faults(within: .seconds(300)) == [])
                // The handshake is in the first file, the FINs are in the last.
                let expected = 8 + (number == 0 ? 7 : 4) + (number == paths.count - 1 ? 16 : 0)
                #expect(try await wireshark.completeness(within: .seconds(300))[0] == expected, "file \(number)")
            }
        }
    }
}
