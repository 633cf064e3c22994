import Foundation
import Testing

/// Recordings over several files.
struct RotationTests {
    /// Nothing may be lost: with `drop`, a record would wait for its recording for only a second.
    private func tapline(_ scene: Scene, _ puppet: Puppet, rotate: String) async throws -> TaplineProcess {
        try await scene.run(
            relays: """
                  - name: web
                    listen: 127.0.0.1:0
                    upstream: \(try await puppet.listen("upstream"))
                    record: { directory: \(scene.path("recordings")), rotate: { \(rotate) }, when_full: block }
                """, more: "shutdown: { drain: 1s }")
    }

    @Test(.needs("python3", "tshark", "mergecap")) func files_areWholeAloneAndTogether() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await tapline(scene, puppet, rotate: "size: 256KiB, every: 0, keep: 0")
            try await puppet.connect("a", to: tapline.address)
            try await puppet.accept("b", from: "upstream")
            let up = try await puppet.pass(1_000_000, from: "a", to: "b")
            let down = try await puppet.pass(1_500_000, from: "b", to: "a")
            for (one, other) in [("a", "b"), ("b", "a")] {
                try await puppet.finish(one)
                #expect(try await puppet.receiveToEnd(other).end == "fin")
            }
            let record = try await tapline.records()[0]
            try await tapline.stop()
            #expect(record.recordedBytes == 2_500_000)
            let paths = try scene.recordings(in: scene.path("recordings"), of: "web.")
            #expect(paths.count > 9)
            for (number, path) in paths.enumerated() {
                let wireshark = Dissection(scene: scene, path: path)
                #expect(try await wireshark.faults() == [], "file \(number)")
                let facts = try await scene.facts(of: [path])
                #expect(
                    facts.troubles == [] && facts.files[0].size <= 256 << 10 && facts.files[0].statistics.count == 1)
                #expect(facts.conversations.count == 1 && facts.conversations[0].id == record.id)
                let first = try #require(facts.conversations[0].comments.first)
                #expect(first.contains(number == 0 ? "connection opened" : "continues from the file before"))
                #expect(first.contains("upstream=\(record.upstream)"))
            }
            let facts = try await scene.facts(of: paths)
            #expect(facts.troubles == [] && facts.conversations.count == 1)
            #expect(facts.conversations[0].up.isWhole(up) && facts.conversations[0].down.isWhole(down))
            let merged = scene.path("merged.pcapng")
            try await scene.run(["mergecap", "-w", merged] + paths)
            let whole = Dissection(scene: scene, path: merged)
            let (faults, completeness) = (try await whole.faults(), try await whole.completeness())
            #expect(faults == [] && completeness == [0: .whole])
            let followed = try await scene.follow(merged)
            #expect(followed.first.isWhole(up) && followed.second.isWhole(down))
        }
    }

    @Test(.needs("python3")) func keep_removesOldFilesOfItsRelay_andNoOthers() async throws {
        try await scene { scene in
            let folder = scene.path("recordings")
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
            let old = "web.20200101T000000.000Z.pcapng"
            let others = [
                "web.notes.pcapng", "web-2.20200101T000000.000Z.pcapng", "web.20200101T000000.000Z.pcapng.gz",
                "webb.20200101T000000.000Z.pcapng", "web.2020-01-01T00:00:00.000Z.pcapng", "README",
            ]
            for name in others + [old] { _ = try scene.file("recordings/\(name)", "text") }
            let link = "web.20190101T000000.000Z.pcapng"
            try FileManager.default.createSymbolicLink(
                atPath: "\(folder)/\(link)", withDestinationPath: try scene.file("elsewhere", "text"))
            let puppet = try scene.puppet()
            let tapline = try await tapline(scene, puppet, rotate: "size: 64KiB, every: 0, keep: 2")
            try await puppet.connect("a", to: tapline.address)
            try await puppet.accept("b", from: "upstream")
            try await puppet.pass(2_000_000, from: "a", to: "b")
            try await tapline.stop()
            let left = Set(try FileManager.default.contentsOfDirectory(atPath: folder))
            #expect(left.isSuperset(of: others + [link]) && !left.contains(old))
            #expect(access(scene.path("elsewhere"), F_OK) == 0)
            // Two closed files and the last one.
            let own = left.subtracting(others + [link])
            #expect(own.count == 3)
            let facts = try await scene.facts(of: own.sorted().map { "\(folder)/\($0)" })
            #expect(facts.troubles == [])
            #expect(facts.recorded > 0 && facts.recorded < 200_000)
        }
    }

    /// A file is closed at its age limit, whether or not bytes pass.
    @Test(.needs("python3", "tshark")) func age_closesAFileAndBeginsTheNextWithWhatComes() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await tapline(scene, puppet, rotate: "size: 0, every: 1s, keep: 0")
            let folder = scene.path("recordings")
            try await puppet.connect("a", to: tapline.address)
            try await puppet.accept("b", from: "upstream")
            var count: UInt64 = 0
            let deadline = ContinuousClock.now + .seconds(60)
            while try scene.recordings(in: folder).count < 3 {
                try await puppet.pass(1000, from: "a", to: "b")
                count += 1000
                guard ContinuousClock.now < deadline else { throw Failure("no third file after 60 s") }
            }
            let record = try #require(try await tapline.stop().first)
            #expect(record.recordedBytes == count && record.bytesUp == count)
            let paths = try scene.recordings(in: folder, of: "web.")
            for path in paths { #expect(try await Dissection(scene: scene, path: path).faults() == []) }
            let facts = try await scene.facts(of: paths)
            #expect(facts.troubles == [] && facts.conversations.count == 1 && facts.conversations[0].up.isWhole(count))
        }
    }

    /// Without traffic and open connections nothing happens, however old a file gets.
    @Test(.needs("python3"), arguments: ["size: 0, every: 1s, keep: 0"])
    func recorder_withNothingToDo_takesNoProcessorTime(rotate: String) async throws {
        try await scene(.waiting) { scene in
            let puppet = try scene.puppet()
            let tapline = try await tapline(scene, puppet, rotate: rotate)
            try await puppet.connect("a", to: tapline.address)
            try await puppet.accept("b", from: "upstream")
            try await puppet.pass(1000, from: "a", to: "b")
            let load = try await scene.rest { try await ProcessFacts.load(of: tapline.pid, over: .seconds(4)) }
            #expect(load < 0.02)
            #expect(try scene.recordings(in: scene.path("recordings")).count <= 2)
            try await tapline.stop()
        }
    }
}
