import Foundation
import TestSupport
import Testing

/// A changed `record:` while connections are open: nothing is closed, and each is recorded as it began.
struct RecordReloadTests {
    private func text(_ bench: ReloadBench, record: String?) -> String {
        let settings = record.map { ", record: { \($0) }" } ?? ""
        return """
            log: { format: json }
            relays:
              - { name: web, listen: '\(bench.first)', upstream: '\(bench.upstream)'\(settings) }

            """
    }

    @Test(.needs("python3", "tshark")) func record_addedChangedAndRemoved_closesNothing() async throws {
        try await reloadScene { bench in
            let (one, two) = (bench.scene.path("one"), bench.scene.path("two"))
            let steps: [String?] = [
                nil, "directory: \(one)", "directory: \(one), max_bytes: 50KiB", "directory: \(two), when_full: block",
                nil,
            ]
            try Files.write(text(bench, record: steps[0]), to: bench.path)
            let tapline = try await bench.run()
            for (number, step) in steps.enumerated() {
                if number > 0 {
                    try Files.replace(bench.path, with: text(bench, record: step))
                    try await bench.reloaded(tapline, number + 1)
                }
                try await bench.begin(bench.first, "\(number)")
                for open in 0...number { try await bench.exchange("\(open)") }
            }
            // First everything is recorded: a record waits for it for a second only, and a busy machine may take
            // longer.
            let recorded = 5 * 80_000 + 2 * 50 * 1024 + 3 * 80_000
            try await bench.scene.eventually("all is in the files") {
                let paths = try bench.scene.recordings(in: one) + bench.scene.recordings(in: two)
                return try await bench.scene.facts(of: paths).recorded == UInt64(recorded)
            }
            for number in steps.indices {
                for (side, other) in [("\(number)", "\(number)'"), ("\(number)'", "\(number)")] {
                    try await bench.puppet.finish(side)
                    #expect(try await bench.puppet.receiveToEnd(other).end == "fin")
                }
            }
            let records = try await tapline.stop().sorted { $0.id < $1.id }
            #expect(records.map(\.reason) == Array(repeating: "client_closed", count: steps.count))
            for (number, record) in records.enumerated() {
                // One exchange when it began, and one at each later step.
                let passed = UInt64(80_000 * (1 + steps.count - number))
                #expect(record.bytesUp + record.bytesDown == passed)
                switch number {
                case 0, 4: #expect(record.recordedBytes ?? 0 == 0 && record.droppedBytes ?? 0 == 0)
                case 2: #expect(record.recordedBytes == 2 * 50 << 10 && record.droppedBytes == 0)
                default: #expect(record.recordedBytes == passed && record.droppedBytes == 0)
                }
            }
            let paths = try bench.scene.recordings(in: one) + bench.scene.recordings(in: two)
            #expect(paths.count == 3)
            let ids = [records[1].id, records[2].id, records[3].id]
            for (path, id) in zip(paths, ids) {
                let facts = try await bench.scene.facts(of: [path])
                #expect(facts.troubles == [] && facts.conversations.map(\.id) == [id])
                let record = try #require(records.first { $0.id == id })
                #expect(facts.recorded == record.recordedBytes && facts.missing == 0)
                try await Dissection(scene: bench.scene, path: path).expectWhole([0: .whole])
            }
        }
    }

    /// Through the API, for connections of every generation; later bytes are recorded once.
    @Test(.needs("python3", "curl")) func recording_stoppedAfterAReload_writesNothingMore() async throws {
        try await reloadScene { bench in
            let (one, two) = (bench.scene.path("one"), bench.scene.path("two"))
            let admin = "admin: { listen: 127.0.0.1:0 }\n"
            try Files.write(admin + text(bench, record: "directory: \(one)"), to: bench.path)
            let tapline = try await bench.run()
            let client = try await bench.scene.admin(of: tapline)
            try await bench.begin(bench.first, "old")
            try Files.replace(bench.path, with: admin + text(bench, record: "directory: \(two)"))
            try await bench.reloaded(tapline, 2)
            try await bench.begin(bench.first, "new")
            try await bench.scene.eventually("what passed is in the files") {
                let paths = try bench.scene.recordings(in: one) + bench.scene.recordings(in: two)
                return try await bench.scene.facts(of: paths).recorded == 2 * 80_000
            }

            let stopped = try await client.ask("DELETE", "/v1/relays/web/recording")
            #expect(try stopped.json["recording"] == .flag(false))
            let paths = try bench.scene.recordings(in: one) + bench.scene.recordings(in: two)
            #expect(paths.count == 2)
            let before = try await bench.scene.facts(of: paths)
            #expect(before.recorded == 2 * 80_000)
            for name in ["old", "new"] { try await bench.exchange(name) }
            #expect(try await bench.scene.facts(of: paths).recorded == before.recorded)

            let started = try await client.ask("POST", "/v1/relays/web/recording")
            #expect(try started.json["recording"] == .flag(true))
            for name in ["old", "new"] { try await bench.exchange(name) }
            try await bench.scene.eventually("what passed is in the files") {
                let paths = try bench.scene.recordings(in: one) + bench.scene.recordings(in: two)
                return try await bench.scene.facts(of: paths).recorded == 4 * 80_000
            }
            for name in ["old", "new"] { try await bench.end(name) }
            let records = try await tapline.records(2)
            try await tapline.stop()
            for record in records {
                #expect(record.bytesUp + record.bytesDown == 3 * 80_000)
                #expect(record.recordedBytes == 2 * 80_000 && record.droppedBytes == 0)
            }
            // Each byte once, over all files.
            let all = try bench.scene.recordings(in: one) + bench.scene.recordings(in: two)
            #expect(all.count == 3)
            #expect(try await bench.scene.facts(of: paths).recorded == before.recorded)
            #expect(try await bench.scene.facts(of: all.filter { !paths.contains($0) }).recorded == 2 * 80_000)
        }
    }

    @Test(.needs("python3")) func folder_thatCannotBeMade_rejectsTheReload() async throws {
        try await reloadScene { bench in
            try Files.write(text(bench, record: "directory: good, when_full: block"), to: bench.path)
            let tapline = try await bench.run()
            try await bench.begin(bench.first, "old")
            try Files.replace(bench.path, with: text(bench, record: "directory: missing/deep"))
            let line = try await tapline.program.errors.line(containing: "reload rejected")
            #expect(line.contains("missing/deep") && line.contains("ENOENT"))
            try await bench.exchange("old")
            try await bench.converse(bench.first)
            try await bench.end("old")
            let records = try await tapline.stop()
            #expect(records.count == 2 && records.allSatisfy { $0.isBalanced && $0.recordedBytes ?? 0 > 0 })
        }
    }
    /// A gibibyte of memory for the whole program: its relays continue, and no file is left behind.
    @Test(.needs("python3", "prlimit")) func buffer_thatThereIsNoMemoryFor_rejectsTheReload() async throws {
        try await reloadScene { bench in
            try Files.write(text(bench, record: "directory: good, when_full: block"), to: bench.path)
            let tapline = try await bench.run()
            let other = bench.scene.path("other")
            try await bench.begin(bench.first, "old")
            try await bench.scene.run("prlimit", "--pid", "\(tapline.pid)", "--as=\(1 << 30)")
            try Files.replace(bench.path, with: text(bench, record: "directory: \(other), buffer: 1GiB"))
            let line = try await tapline.program.errors.line(containing: "reload rejected")
            #expect(line.contains("allocate \(1 << 30) bytes") && line.contains("ENOMEM"))
            try await bench.exchange("old")
            try await bench.converse(bench.first)
            try await bench.end("old")
            let records = try await tapline.stop()
            #expect(records.count == 2 && records.allSatisfy { $0.isBalanced && $0.recordedBytes ?? 0 > 0 })
            #expect(try bench.scene.recordings(in: other).isEmpty)
        }
    }
}
