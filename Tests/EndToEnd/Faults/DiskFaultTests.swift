import Foundation
import Testing

/// `FAULTS.md`, "Recording, reload, time": disk faults, in addition to `FullDiskTests` and `HungReaderTests`.
struct DiskFaultTests {
    private static let trouble = "the recording cannot be written"

    /// A file system with an error becomes read-only while a file on it is being written (ext4, `errors=remount-ro`).
    @Test(
        .needs("python3", "curl", "unshare", "nsenter", "mount", "mkfs.ext4"), .needsRoot, .mayMount, .hasLoopDevices)
    func diskTurnsReadOnlyInMidRecording_stopsTheTapCleanly_andTheRelayContinues() async throws {
        try await scene(.heavy) { scene in
            let bench = try await DiskBench(
                scene, try await scene.realDisk(mebibytes: 64),
                more: "shutdown: { drain: 1s }\nadmin: { listen: '127.0.0.1:0' }")
            let admin = try await scene.admin(of: bench.tapline)
            try await bench.open("a")
            try await bench.puppet.pass(1_000_000, from: "a", to: "a'")
            try await scene.eventually("it is in the file") {
                try await bench.facts().conversations.first?.up.count == 1_000_000
            }
            try await bench.disk.run("sync", "-f", bench.disk.folder)
            try await bench.disk.remount("abort")
            let up = try await bench.puppet.pass(20_000_000, from: "a", to: "a'")
            let line = try await bench.tapline.program.errors.line(containing: Self.trouble)
            #expect(line.contains("EROFS") || line.contains("EIO"), "\(line)")
            for _ in 0..<3 { try await bench.expectPlainUnharmed() }
            try await admin.await("the metrics tell", "/metrics") { answer in
                answer.body.contains("tapline_recording_trouble{relay=\"taped\"} 1")
                    && !answer.body.contains("tapline_recording_dropped_bytes_total{relay=\"taped\"} 0\n") ? true : nil
            }
            let record = try await bench.end("a")
            #expect(record.isBalanced && record.bytesUp == 1_000_000 + UInt64(up.count))
            #expect(record.recordedBytes ?? 0 >= 1_000_000 && record.droppedBytes ?? 0 > 0)
            try await bench.tapline.stop()
            // Once, although it has retried.
            #expect(bench.tapline.program.errors.all.count { $0.contains(Self.trouble) } == 1)
            let facts = try await bench.facts()
            #expect(facts.troubles == [] && facts.recorded >= 1_000_000)
        }
    }

    /// Under `block`, the recorded flow waits for the disk; a loop never does, and nothing is lost.
    @Test(
        .needs("python3", "unshare", "nsenter", "mount", "mkfs.ext4", "fsfreeze"), .needsRoot, .mayMount,
        .hasLoopDevices)
    func block_onADiskThatHangs_waitsAndLosesNothing_andOthersContinue() async throws {
        try await scene(.heavy) { scene in
            let bench = try await DiskBench(
                scene, try await scene.realDisk(mebibytes: 96), record: ", when_full: block, buffer: 1MiB")
            try await bench.open("a")
            let first = try await bench.puppet.pass(1_000_000, from: "a", to: "a'")
            let ice = try await bench.disk.freeze()
            async let received = bench.puppet.receiveToEnd("a'")
            // Until the relay accepts no more: the buffer, the file's own, and the sockets are full.
            let sent = try await bench.puppet.fill("a", quiet: 2)
            #expect(sent.count < 40_000_000)
            for _ in 0..<5 { try await bench.expectPlainUnharmed() }
            try await bench.tapline.expectIdle("a flow waits for a disk that hangs")
            ice.finishInput()
            try await ice.exit()
            try await bench.puppet.finish("a")
            let got = try await received
            #expect(got.count == sent.count && got.sha256 == sent.sha256 && got.end == "fin")
            try await bench.puppet.finish("a'")
            #expect(try await bench.puppet.receiveToEnd("a").end == "fin")
            // In addition to the five of the plain relay.
            let record = try #require(try await bench.tapline.records(6).first { $0.relay == "taped" })
            #expect(record.recordedBytes == UInt64(first.count + sent.count) && record.droppedBytes == 0)
            try await bench.tapline.stop()
            let facts = try await bench.facts()
            #expect(facts.troubles == [] && facts.recorded == record.recordedBytes)
        }
    }
}
