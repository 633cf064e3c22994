import Foundation
import TestSupport
import Testing

/// Another process replaces the running one.
struct UpgradeTests {
    /// The final report of the clients of `Peers/storm.py`.
    private struct Report: Decodable {
        var troubles: [String]
        var short: Int
        var long: Int
        var connections: Int
    }

    private func text(_ bench: ReloadBench, _ upstream: String, workers: Int) -> String {
        """
        log: { format: json }
        workers: \(workers)
        admin: { listen: 'unix:\(bench.scene.path("admin.sock"))' }
        relays:
          - { name: web, listen: '\(bench.first)', upstream: '\(upstream)' }
          - { name: local, listen: 'unix:\(bench.scene.path("front.sock"))', upstream: '\(bench.upstream)' }
          - { name: free, listen: '127.0.0.1:0', upstream: '\(bench.upstream)' }

        """
    }

    private func inode(_ path: String) throws -> UInt64 {
        try #require(FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? UInt64)
    }

    /// The address of relay `free`, as announced by the process with this number.
    private func freeAddress(_ lineage: Lineage, _ process: Int) async throws -> String {
        let lines = try await lineage.errors.first(process) { $0.contains("free listens on ") }
        return String(try #require(lines[process - 1].firstMatch(of: /free listens on ([\d.:]+),/)).1)
    }

    /// Three upgrades, with more and with fewer workers, while clients connect without a pause.
    @Test(.needs("python3", "curl")) func threeUpgrades_underLoad_refuseAndResetNoClient() async throws {
        try await reloadScene(.heavy) { bench in
            let crowd = try bench.scene.start(Scene.peer("storm.py"))
            let upstream = try await bench.scene.listening(crowd)
            let front = bench.scene.path("front.sock")
            let admin = AdminClient(scene: bench.scene, address: "unix:\(bench.scene.path("admin.sock"))")
            try Files.write(text(bench, upstream, workers: 2), to: bench.path)
            try await bench.lineage(relays: 3) { lineage in
                crowd.write("\(bench.first) 16\n")
                // The relays do not wait for it.
                try await lineage.errors.line(containing: "the admin API answers on")
                let file = try inode(front)
                let adminFile = try inode(bench.scene.path("admin.sock"))
                let free = try await freeAddress(lineage, 1)
                for (round, workers) in [4, 1, 3].enumerated() {
                    // Each process has an open connection when the next one takes over.
                    try await bench.begin("unix:\(front)", "of \(round)")
                    try Files.write(text(bench, upstream, workers: workers), to: bench.path)
                    try await lineage.upgrade()
                    #expect(try await freeAddress(lineage, round + 2) == free)
                    try await bench.converse("unix:\(front)")
                    try await bench.converse(free)
                    // The old process logs the handover before it closes its API, so it may answer for a moment longer.
                    let status: [String: JSON] = try await admin.await("the new one answers", "/v1/status") { answer in
                        let facts = try answer.json
                        return facts["pid"]?.number == Int(lineage.current) ? facts : nil
                    }
                    #expect(status["workers"]?.number == workers, "\(status)")
                }
                for round in 0..<3 {
                    try await bench.exchange("of \(round)")
                    try await bench.end("of \(round)")
                }
                crowd.write("over\n")
                let said = try await crowd.output.line(containing: "\"done\"", within: .seconds(120))
                let report = try JSONDecoder().decode(Report.self, from: Data(said.utf8))
                #expect(report.troubles == [])
                #expect(report.short > 0 && report.long > 0)
                try await lineage.awaitEndOfPast(bench.scene)
                // The ended processes left the files alone.
                #expect(try inode(front) == file && inode(bench.scene.path("admin.sock")) == adminFile)
                try await bench.converse("unix:\(front)")

                try lineage.send(SIGTERM)
                #expect(try await lineage.finish(bench.scene) == "status 0")
                #expect(!FileManager.default.fileExists(atPath: front))
                #expect(!FileManager.default.fileExists(atPath: bench.scene.path("admin.sock")))
                // Every connection has its record, whichever process had it, and none was cut.
                let records = try lineage.first.recordsSoFar
                let own = records.filter { $0.relay == "web" }
                #expect(own.count == report.connections)
                #expect(own.allSatisfy { $0.reason == "client_closed" })
                #expect(records.count { $0.relay == "local" } == 7)
            }
        }
    }

    @Test(.needs("python3")) func forward_isReplacedToo_andSaysWhatItDoes() async throws {
        try await reloadScene { bench in
            let words = ["forward", "\(bench.first)=\(bench.upstream)", "--log-format", "json"]
            try await bench.lineage(words) { lineage in
                let old = lineage.current
                try await bench.begin(bench.first, "open")
                try await lineage.upgrade()
                try await lineage.errors.line(
                    containing: "process \(lineage.current) took over; 1 open here, waiting up to 10m")
                try await bench.converse(bench.first)
                try await bench.exchange("open")
                try await bench.end("open")
                try await lineage.errors.line(containing: "process \(old), from before the upgrade, has ended")
                try lineage.send(SIGTERM)
                #expect(try await lineage.finish(bench.scene) == "status 0")
            }
        }
    }

    /// Its limit is `shutdown.upgrade`; stopping the service signals both processes, which is not a second signal.
    @Test(.needs("python3")) func connections_ofTheOldProcess_haveTheirOwnBound() async throws {
        try await reloadScene { bench in
            try Files.write(
                bench.text([("web", bench.first)], more: "shutdown: { upgrade: 1s }"), to: bench.path)
            try await bench.lineage { lineage in
                try await bench.begin(bench.first, "open")
                try await lineage.upgrade()
                #expect(try await bench.puppet.receiveToEnd("open").end == "reset")
                #expect(try await lineage.first.records()[0].reason == "drained")
                try await lineage.awaitEndOfPast(bench.scene)
            }
        }
        try await reloadScene { bench in
            try Files.write(bench.start, to: bench.path)
            try await bench.lineage { lineage in
                try await bench.begin(bench.first, "open")
                try await lineage.upgrade()
                for pid in lineage.past + [lineage.current] { _ = kill(pid, SIGTERM) }
                try await lineage.errors.line(containing: "1 open, waiting up to 25s")
                try await bench.exchange("open")
                try await bench.end("open")
                #expect(try await lineage.finish(bench.scene) == "status 0")
                #expect(try lineage.first.recordsSoFar.map(\.reason) == ["client_closed"])
            }
        }
    }

    /// The configuration has changed by then: an address that is gone is closed and its file removed, and a new one is
    /// bound.
    @Test(.needs("python3")) func configuration_thatChangedInTheMeantime_isThatOfTheNewProcess() async throws {
        try await reloadScene { bench in
            let gone = bench.scene.path("gone.sock")
            try Files.write(bench.text([("web", bench.first), ("gone", "unix:\(gone)")]), to: bench.path)
            try await bench.lineage(relays: 2) { lineage in
                try await bench.begin(bench.first, "open")
                try await StoppedProcess.stop(lineage.current)
                try Files.replace(bench.path, with: bench.text([("web", bench.first), ("new", bench.second)]))
                kill(lineage.current, SIGUSR2)
                kill(lineage.current, SIGCONT)
                try await lineage.errors.line(containing: "took over from process \(lineage.current)")
                try await bench.converse(bench.first)
                try await bench.converse(bench.second)
                try await bench.scene.eventually("its file is gone") { !FileManager.default.fileExists(atPath: gone) }
                try await bench.end("open")
            }
        }
    }

    /// Both record the same relay for a while, and each removes old files, but none that the other still writes.
    @Test(.needs("python3")) func recording_ofTheOldProcess_outlivesTheRotationsOfTheNewOne() async throws {
        try await reloadScene { bench in
            let folder = bench.scene.path("recordings")
            try Files.write(
                """
                log: { format: json }
                relays:
                  - name: web
                    listen: '\(bench.first)'
                    upstream: '\(bench.upstream)'
                    record: { directory: '\(folder)', rotate: { size: 256KiB, every: 0, keep: 1 } }

                """, to: bench.path)
            try await bench.lineage { lineage in
                try await bench.begin(bench.first, "old")
                // The recorder's thread opens the file, and the names are in the order of the files' times.
                try await bench.scene.eventually("the old one records") {
                    (try? bench.scene.recordings(in: folder))?.isEmpty == false
                }
                let old = lineage.current
                try await lineage.upgrade()
                // The old process may accept for a moment longer, and the ten connections should be the new one's. Its
                // file stays open.
                try await StoppedProcess.stop(old)
                for number in 1...10 {
                    try await bench.begin(bench.first, "\(number)")
                    try await bench.puppet.pass(200_000, from: "\(number)", to: "\(number)'")
                    try await bench.end("\(number)")
                }
                _ = try await lineage.first.records(10)
                kill(old, SIGCONT)
                try await bench.exchange("old")
                try await bench.end("old")
                try await lineage.awaitEndOfPast(bench.scene)
                try lineage.send(SIGTERM)
                #expect(try await lineage.finish(bench.scene) == "status 0")

                // The old process's file, and the last two of the new one: one that was closed, and the current one.
                let files = try bench.scene.recordings(in: folder)
                #expect((2...3).contains(files.count), "\(files)")
                let recorded = try await bench.scene.facts(of: [files[0]]).conversations
                #expect(recorded.contains { $0.reason != nil && $0.up.isWhole(80_000) && $0.down.isWhole(80_000) })
                let records = try lineage.first.recordsSoFar
                #expect(records.count == 11 && records.allSatisfy { $0.droppedBytes == 0 })
            }
        }
    }
}
