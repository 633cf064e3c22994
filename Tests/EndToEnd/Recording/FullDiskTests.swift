import Foundation
import TestSupport
import Testing

/// Full disks: the relay continues, lost bytes are reported consistently, and the recording resumes.
struct FullDiskTests {
    private static let trouble = "the recording cannot be written"
    private static let recovery = "the recording can be written again"
    private static let noBuffer = "the recording's buffer was full"

    @Test(.needs("python3", "curl", "tshark", "unshare", "nsenter", "mount"), .mayMount)
    func drop_onAFullDisk_losesByCount_andResumesWhenThereIsRoom() async throws {
        try await scene(.heavy) { scene in
            let bench = try await DiskBench(
                scene, try await scene.memoryDisk("size=1m"), record: ", buffer: 64MiB",
                more: "shutdown: { drain: 1s }\nadmin: { listen: '127.0.0.1:0' }")
            let admin = try await scene.admin(of: bench.tapline)
            try await bench.open("a")
            try await bench.puppet.pass(20_000_000, from: "a", to: "a'")
            try await bench.puppet.pass(10_000_000, from: "a'", to: "a")
            let line = try await bench.tapline.program.errors.line(containing: Self.trouble)
            #expect(line.contains("ENOSPC") && line.contains("\"level\":\"error\""))
            let troubled = "tapline_recording_trouble{relay=\"taped\"} "
            try await admin.await("the trouble", "/metrics") { $0.body.contains(troubled + "1\n") ? true : nil }
            // All but what fits on the disk, before it has more room.
            let lost = try Regex("tapline_recording_dropped_bytes_total\\{relay=\"taped\"\\} 2[0-9]{7}\n")
            try await admin.await("what is lost", "/metrics") { $0.body.contains(lost) ? true : nil }
            try await bench.expectPlainUnharmed()
            try await bench.disk.remount("size=100m")
            // It retries with the next event.
            try await scene.eventually("it is written again") {
                try await bench.puppet.pass(10_000, from: "a", to: "a'")
                return bench.tapline.program.errors.all.contains { $0.contains(Self.recovery) }
            }
            let last = try await bench.puppet.pass(3_000_000, from: "a'", to: "a")
            let record = try await bench.end("a")
            #expect(record.isBalanced && record.bytesDown == 13_000_000)
            try await admin.await("the trouble is over, and what was lost", "/metrics") { answer in
                answer.body.contains(troubled + "0\n")
                    && answer.body.contains(
                        "tapline_recording_dropped_bytes_total{relay=\"taped\"} \(record.droppedBytes ?? 0)\n")
                    ? true : nil
            }
            try await bench.tapline.stop()

            let facts = try await bench.facts()
            #expect(facts.troubles == [])
            let one = try #require(facts.conversations.first { $0.id == record.id })
            #expect(one.up.count + one.down.count == record.recordedBytes)
            #expect(one.up.missing + one.down.missing == record.droppedBytes)
            #expect(one.recorded == record.recordedBytes && one.dropped == record.droppedBytes)
            #expect(one.gaps == record.droppedBytes)
            #expect(one.down.count >= last.count && one.up.missing > 10_000_000)
            #expect(facts.files.reduce(0) { $0 + $1.droppedSegments } > 0)
            // The log: once that it stopped, once that it continues, with the same number.
            #expect(bench.tapline.program.errors.all.count { $0.contains(Self.trouble) } == 1)
            #expect(try bench.logged(Self.recovery) + bench.logged(Self.noBuffer) == record.droppedBytes)
            // The only faults are the gaps.
            let wireshark = Dissection(scene: scene, path: facts.files[0].path)
            let wrong = try await wireshark.faults().map { $0[2] }
            #expect(wrong.allSatisfy { $0.contains("not captured") || $0.contains("wasn't captured") }, "\(wrong)")
        }
    }

    @Test(.needs("python3", "unshare", "nsenter", "mount"), .mayMount)
    func block_onAFullDisk_waits_andLosesNothing() async throws {
        try await scene(.heavy) { scene in
            let bench = try await DiskBench(
                scene, try await scene.memoryDisk("size=1m"), record: ", when_full: block, buffer: 1MiB",
                more: "shutdown: { drain: 1s }\nadmin: { listen: '127.0.0.1:0' }")
            let admin = try await scene.admin(of: bench.tapline).address
            try await bench.open("a")
            async let passed = bench.puppet.pass(30_000_000, from: "a", to: "a'", within: .seconds(300))
            let line = try await bench.tapline.program.errors.line(containing: Self.trouble)
            #expect(line.contains("ENOSPC"))
            // `why` and `status` show what it waits for, and what to check.
            try await scene.eventually("`why` names the recording") {
                try await scene.run(TaplineProcess.binary, "why", "2", "--admin", admin)
                    .contains("It is waiting for its recording")
            }
            #expect(
                try await scene.run(TaplineProcess.binary, "status", "--admin", admin)
                    .contains("taped: the recording cannot be written: No space left on device (ENOSPC)"))
            for _ in 0..<5 { try await bench.expectPlainUnharmed() }
            try await bench.disk.remount("size=100m")
            let up = try await passed
            let down = try await bench.puppet.pass(5_000_000, from: "a'", to: "a")
            let record = try await bench.end("a")
            #expect(record.recordedBytes == 35_000_000 && record.droppedBytes == 0)
            try await bench.tapline.stop()
            let facts = try await bench.facts()
            #expect(facts.troubles == [])
            let one = try #require(facts.conversations.first { $0.id == record.id })
            #expect(one.up.isWhole(up) && one.down.isWhole(down) && one.dropped == 0)
            #expect(bench.tapline.program.errors.all.count { $0.contains(Self.recovery) } == 1)
        }
    }

    /// A recording that must be complete is, also if it was removed and its last connection has ended; and nothing is
    /// counted as recorded before it is.
    @Test(.needs("python3", "unshare", "nsenter", "mount"), .mayMount, arguments: [true, false])
    func block_onAFullDisk_outlivesItsConnections_andAReload(isReloaded: Bool) async throws {
        try await scene(.heavy) { scene in
            let bench = try await DiskBench(
                scene, try await scene.memoryDisk("size=1m"), record: ", when_full: block, buffer: 4MiB",
                more: "shutdown: { drain: 1s }\nadmin: { listen: '127.0.0.1:0' }")
            let admin = try await scene.admin(of: bench.tapline).address
            try await bench.open("a")
            // It fits into the buffer, and not on the disk.
            try await bench.puppet.pass(2_000_000, from: "a", to: "a'")
            try await bench.tapline.program.errors.line(containing: Self.trouble)
            if isReloaded {
                let path = scene.path("tapline.yaml")
                let text = try #require(Files.read(path))
                try Files.replace(path, with: text.replacingOccurrences(of: "buffer: 4MiB", with: "buffer: 5MiB"))
                try await bench.tapline.program.errors.line(containing: "generation\":2,")
            }
            async let record = bench.end("a")
            // Connections that end meanwhile have their records.
            try await bench.puppet.connect("late", to: bench.tapline.listeners[1])
            try await bench.puppet.accept("late'", from: "upstream")
            for side in ["late", "late'"] { try await bench.puppet.finish(side) }
            for side in ["late", "late'"] { try await bench.puppet.receiveToEnd(side) }
            try await bench.tapline.program.output.line(containing: "\"relay\":\"plain\"")
            #expect(try !bench.tapline.recordsSoFar.contains { $0.relay == "taped" })
            try await scene.eventually("`why` tells of the record that waits") {
                try await scene.run(TaplineProcess.binary, "why", "2", "--admin", admin)
                    .contains("Its end record is delayed until its recording is complete")
            }
            try await bench.disk.remount("size=100m")
            #expect(try await record.recordedBytes == 2_000_000)
            #expect(try await record.droppedBytes == 0)
            try await bench.tapline.stop()
            let facts = try await bench.facts()
            #expect(facts.troubles == [] && facts.recorded == 2_000_000)
        }
    }

    /// Bytes that are not written when the process ends are lost, and reported as lost.
    @Test(.needs("python3", "unshare", "nsenter", "mount"), .mayMount)
    func block_onADiskThatStaysFull_tellsTheTruthAtTheEnd() async throws {
        try await scene(.heavy) { scene in
            let bench = try await DiskBench(
                scene, try await scene.memoryDisk("size=1m"), record: ", when_full: block, buffer: 4MiB")
            try await bench.open("a")
            try await bench.puppet.pass(2_000_000, from: "a", to: "a'")
            try await bench.tapline.program.errors.line(containing: Self.trouble)
            for (one, other) in [("a", "a'"), ("a'", "a")] {
                try await bench.puppet.finish(one)
                try await bench.puppet.receiveToEnd(other)
            }
            let record = try #require(try await bench.tapline.stop().first { $0.relay == "taped" })
            #expect(record.isBalanced && record.reason == "client_closed" && record.droppedBytes ?? 0 > 900_000)
            let facts = try await bench.facts()
            #expect(facts.troubles == [] && facts.recorded == record.recordedBytes)
            #expect(try bench.logged("ends without bytes that could not be written") == record.droppedBytes)
        }
    }

    /// A flow that waits for its recording is not idle.
    @Test(.needs("python3", "unshare", "nsenter", "mount"), .mayMount)
    func block_onAFullDisk_isNoIdleConnection() async throws {
        try await scene(.heavy) { scene in
            let bench = try await DiskBench(
                scene, try await scene.memoryDisk("size=1m"), record: ", when_full: block, buffer: 1MiB",
                more: "shutdown: { drain: 1s }\nadmin: { listen: '127.0.0.1:0' }", timeouts: "{ idle: 8s }")
            let admin = try await scene.admin(of: bench.tapline).address
            try await bench.open("a")
            async let passed = bench.puppet.pass(6_000_000, from: "a", to: "a'", within: .seconds(300))
            try await bench.tapline.program.errors.line(containing: Self.trouble)
            try await scene.eventually("it waits for its recording") {
                try await scene.run(TaplineProcess.binary, "why", "2", "--admin", admin)
                    .contains("It is waiting for its recording")
            }
            // Another connection, which begins only now and is idle, ends meanwhile.
            try await bench.open("b")
            #expect(try await bench.puppet.receiveToEnd("b").end == "reset")
            try await bench.disk.remount("size=100m")
            _ = try await passed
            for (one, other) in [("a", "a'"), ("a'", "a")] {
                try await bench.puppet.finish(one)
                #expect(try await bench.puppet.receiveToEnd(other).end == "fin")
            }
            let records = try await bench.tapline.records(2)
            #expect(records.map(\.reason) == ["client_closed", "idle_timeout"])
            #expect(records[0].recordedBytes == 6_000_000)
            try await bench.tapline.stop()
        }
    }

    @Test(.needs("python3", "unshare", "nsenter", "mount"), .mayMount)
    func sigterm_whileAFlowWaitsForRoom_endsTheProcess() async throws {
        try await scene(.heavy) { scene in
            let bench = try await DiskBench(
                scene, try await scene.memoryDisk("size=1m"), record: ", when_full: block, buffer: 1MiB")
            try await bench.open("a")
            async let received = bench.puppet.receiveToEnd("a'")
            // Until the relay accepts no more.
            var sent = try await bench.puppet.fill("a")
            try await bench.tapline.program.errors.line(containing: Self.trouble)
            // Once more: a relay that gets no CPU time for a while accepts nothing, either.
            sent += try await bench.puppet.fill("a")
            try await bench.tapline.program.send(SIGTERM)
            #expect(try await bench.tapline.program.exit() == .exited(0))
            let got = try await received
            #expect(got.end == "reset" && got.count ?? 0 > 1 << 20 && got.count ?? .max < sent)
            let record = try #require(try bench.tapline.recordsSoFar.first { $0.relay == "taped" })
            #expect(record.isBalanced && record.reason == "drained" && record.droppedBytes ?? 0 > 0)
            let facts = try await bench.facts()
            #expect(facts.troubles == [] && facts.recorded == record.recordedBytes)
        }
    }

    /// The next file cannot be created, because the disk has no inode left.
    @Test(.needs("python3", "unshare", "nsenter", "mount"), .mayMount, arguments: ["drop", "block"])
    func inodes_thatAreUsedUp_stopTheRecordingUntilThereAreMore(policy: String) async throws {
        try await scene(.heavy) { scene in
            // The disk's own folder, that of the recordings, and two files.
            let bench = try await DiskBench(
                scene, try await scene.memoryDisk("size=100m,nr_inodes=4"),
                record: ", rotate: { size: 1MiB, keep: 0 }, buffer: 1MiB, when_full: \(policy)")
            try await bench.open("a")
            async let passed = bench.puppet.pass(10_000_000, from: "a", to: "a'")
            if policy == "drop" {
                _ = try await passed
                // Only bytes that fit into the buffer need a file: on a busy machine, that may be less than two files.
                try await scene.eventually("a third file is needed") {
                    try await bench.puppet.pass(500_000, from: "a", to: "a'")
                    return bench.tapline.program.errors.all.contains { $0.contains(Self.trouble) }
                }
            }
            let line = try await bench.tapline.program.errors.line(containing: Self.trouble)
            #expect(line.contains("ENOSPC") && line.contains("/recordings/taped."))
            try await bench.expectPlainUnharmed()
            try await bench.disk.remount("nr_inodes=1000")
            let up = try await passed
            try await scene.eventually("it is written again") {
                try await bench.puppet.pass(10_000, from: "a'", to: "a")
                return bench.tapline.program.errors.all.contains { $0.contains(Self.recovery) }
            }
            let record = try await bench.end("a")
            #expect(record.isBalanced)
            try await bench.tapline.stop()
            let facts = try await bench.facts()
            #expect(facts.troubles == [] && facts.files.count >= 3)
            let one = try #require(facts.conversations.first { $0.id == record.id })
            #expect(one.up.count + one.down.count == record.recordedBytes)
            #expect(one.up.missing + one.down.missing == record.droppedBytes)
            #expect(one.dropped == record.droppedBytes && one.gaps == record.droppedBytes)
            if policy == "block" {
                #expect(record.droppedBytes == 0 && one.up.isWhole(up))
            } else {
                #expect(record.droppedBytes ?? 0 > 0)
            }
        }
    }

    @Test(.needs("python3", "prlimit", "unshare", "nsenter", "mount"), .mayMount)
    func limitOfFileSize_stopsTheRecordingButNotTheRelay() async throws {
        try await scene(.heavy) { scene in
            let bench = try await DiskBench(
                scene, try await scene.memoryDisk("size=100m"), before: ["prlimit", "--fsize=2000000"])
            try await bench.open("a")
            let up = try await bench.puppet.pass(10_000_000, from: "a", to: "a'")
            let line = try await bench.tapline.program.errors.line(containing: Self.trouble)
            #expect(line.contains("EFBIG"))
            try await bench.expectPlainUnharmed()
            let record = try await bench.end("a")
            #expect(record.isBalanced && record.bytesUp == up.count && record.recordedBytes ?? 0 > 0)
            try await bench.tapline.stop()
            let facts = try await bench.facts()
            #expect(facts.troubles == [] && facts.recorded == record.recordedBytes)
            #expect(facts.files.allSatisfy { $0.size <= 2_000_000 })
        }
    }

    @Test(.needs("python3", "unshare", "nsenter", "mount"), .mayMount)
    func folder_thatIsRemoved_isRecreatedForTheNextFile() async throws {
        try await scene(.heavy) { scene in
            let bench = try await DiskBench(
                scene, try await scene.memoryDisk("size=100m"), record: ", rotate: { size: 1MiB, keep: 0 }")
            try await bench.open("a")
            try await bench.puppet.pass(3_000_000, from: "a", to: "a'")
            // No file is created in it while it is removed.
            try await scene.eventually("all is in the files") { try await bench.facts().recorded == 3_000_000 }
            try await bench.disk.run("rm", "-r", "\(bench.disk.folder)/recordings")
            try await bench.puppet.pass(10_000_000, from: "a", to: "a'")
            try await bench.expectPlainUnharmed()
            let record = try await bench.end("a")
            #expect(record.isBalanced && record.bytesUp == 13_000_000)
            try await bench.tapline.stop()
            let facts = try await bench.facts()
            #expect(facts.troubles == [] && facts.missing == record.droppedBytes)
            // All except bytes in transit to the file that was removed with the folder.
            #expect(facts.recorded + facts.missing > 8_000_000)
            #expect(bench.tapline.program.errors.all.allSatisfy { !$0.contains(Self.trouble) })
        }
    }

    /// An error that a retry cannot fix is an error at the start, before a client is served.
    @Test(.needs("unshare", "nsenter", "mount"), .mayMount, arguments: ["forward", "run"])
    func readOnlyFolder_isAnErrorAtTheStart(command: String) async throws {
        try await scene { scene in
            let disk = try await scene.memoryDisk("size=1m,ro")
            let configuration = try scene.file(
                "tapline.yaml",
                """
                relays:
                  - { name: web, listen: '127.0.0.1:0', upstream: '127.0.0.1:1', record: { directory: \(disk.folder) } }
                """)
            let words =
                command == "run"
                ? ["run", "--config", configuration]
                : ["forward", "--record", "\(disk.folder)/", "127.0.0.1:0:127.0.0.1:1"]
            let tapline = try scene.start(disk.before + [TaplineProcess.binary] + words)
            #expect(try await tapline.exit() == .exited(71))
            let said = tapline.errors.all.joined(separator: "\n")
            #expect(said.contains("EROFS") && said.contains("\(disk.folder)/"), "\(said)")
            #expect(!said.contains(" listens on "))
        }
    }
}
