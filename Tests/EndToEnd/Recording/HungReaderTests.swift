import Foundation
import Testing

/// A disk, or a reader, that neither accepts bytes nor fails.
struct HungReaderTests {
    private static let gibibyte = 1 << 30
    /// The default of `buffer`, in the configuration and of `forward`, and the other memory of a recorder.
    private static let (mostMemory, mostForwardMemory) = ((16 + 8) << 20, (64 + 8) << 20)

    @Test(
        .needs("python3", "unshare", "nsenter", "mount", "mkfs.ext4", "fsfreeze"), .needsRoot, .mayMount,
        .hasLoopDevices)
    func disk_thatHangs_holdsNothingUpAndCostsNoMemory() async throws {
        try await scene(.heavy) { scene in
            let bench = try await DiskBench(scene, try await scene.realDisk(mebibytes: 64))
            try await bench.open("a")
            try await bench.puppet.pass(1_000_000, from: "a", to: "a'")
            let before = try ProcessFacts.privateMemory(of: bench.tapline.pid)
            let ice = try await bench.disk.freeze()
            try await bench.puppet.pass(Self.gibibyte, from: "a'", to: "a", within: .seconds(300))
            try await bench.expectPlainUnharmed()
            let growth = try ProcessFacts.privateMemory(of: bench.tapline.pid) - before
            #expect(growth < Self.mostMemory, "\(growth >> 10) KiB")
            // The record does not wait for the disk, which still hangs.
            let record = try await bench.end("a")
            #expect(record.isBalanced && record.bytesDown == UInt64(Self.gibibyte))
            #expect(record.droppedBytes ?? 0 > UInt64(Self.gibibyte) / 2)

            ice.finishInput()
            try await ice.exit()
            // When the backlog is written, connections are recorded completely again.
            var late: RecordingBench.Sent?
            var whole: EndRecord?
            try await scene.eventually("a connection is recorded whole") {
                try await bench.open("b")
                late = try await bench.puppet.pass(500_000, from: "b", to: "b'")
                whole = try await bench.end("b")
                return whole?.recordedBytes == 500_000
            }
            try await bench.tapline.stop()
            let facts = try await bench.facts()
            #expect(facts.troubles == [])
            let one = try #require(facts.conversations.first { $0.id == record.id })
            #expect(one.up.count + one.down.count == record.recordedBytes)
            #expect(facts.conversations.first { $0.id == whole?.id }?.up.isWhole(try #require(late)) == true)
            #expect(try bench.logged("the recording's buffer was full") > 0)
        }
    }

    /// A thread that waits for such a disk cannot be ended before the disk continues, because it waits in the kernel.
    /// Everything else in the process has to have ended.
    @Test(
        .needs("python3", "unshare", "nsenter", "mount", "mkfs.ext4", "fsfreeze"), .needsRoot, .mayMount,
        .hasLoopDevices)
    func sigterm_whileTheDiskHangs_endsAllButTheWaitInTheKernel() async throws {
        try await scene(.heavy) { scene in
            let bench = try await DiskBench(scene, try await scene.realDisk(mebibytes: 64))
            try await bench.open("a")
            try await bench.puppet.pass(1_000_000, from: "a", to: "a'")
            let ice = try await bench.disk.freeze()
            try await bench.puppet.pass(40_000_000, from: "a'", to: "a")
            try await bench.tapline.program.send(SIGTERM)
            let line = try await bench.tapline.program.errors.line(
                containing: "recording stopped: its file cannot be written")
            #expect(line.contains("taped"))
            #expect(try await bench.puppet.receiveToEnd("a").end == "reset")
            let record = try #require(try await bench.tapline.records(2).first { $0.relay == "taped" })
            #expect(record.isBalanced && record.reason == "drained" && record.bytesDown == 40_000_000)
            try await bench.puppet.awaitRefusal(bench.tapline.listeners[0])
            ice.finishInput()
            try await ice.exit()
            #expect(try await bench.tapline.program.exit() == .exited(0))
            let facts = try await bench.facts()
            let one = try #require(facts.conversations.first { $0.id == record.id })
            #expect(facts.files.allSatisfy { $0.trouble == nil })
            #expect(one.up.count + one.down.count <= record.bytesUp + record.bytesDown)
        }
    }

    @Test(.needs("python3", "mkfifo")) func reader_thatStops_losesByCountAndHoldsNothingUp() async throws {
        try await scene(.heavy) { scene in
            let pipe = try await PipeBench(scene)
            try await pipe.open("a")
            let first = try await pipe.puppet.pass(100_000, from: "a", to: "a'")
            let before = try ProcessFacts.privateMemory(of: pipe.tapline.pid)
            try await pipe.reader.stopRunning()
            try await pipe.puppet.pass(200_000_000, from: "a'", to: "a")
            let growth = try ProcessFacts.privateMemory(of: pipe.tapline.pid) - before
            #expect(growth < Self.mostForwardMemory, "\(growth >> 10) KiB")
            let record = try await pipe.end("a", "a'")
            #expect(record.isBalanced && record.droppedBytes ?? 0 > 100_000_000)
            try await pipe.reader.goOn()
            // When the reader has received the backlog, connections are recorded completely again.
            var late: RecordingBench.Sent?
            var whole: EndRecord?
            try await scene.eventually("a connection is recorded whole") {
                try await pipe.open("b")
                late = try await pipe.puppet.pass(500_000, from: "b", to: "b'")
                whole = try await pipe.end("b", "b'")
                return whole?.recordedBytes == 500_000
            }
            try await pipe.tapline.stop()
            try await pipe.reader.exit()
            let facts = try await scene.facts(of: [pipe.path])
            #expect(facts.troubles == [])
            let one = try #require(facts.conversations.first { $0.id == record.id })
            #expect(one.up.isWhole(first) && one.up.count + one.down.count == record.recordedBytes)
            #expect(facts.conversations.first { $0.id == whole?.id }?.up.isWhole(try #require(late)) == true)
        }
    }

    @Test(.needs("python3", "mkfifo")) func sigterm_whileTheReaderIsStopped_endsTheProcess() async throws {
        try await scene(.heavy) { scene in
            let pipe = try await PipeBench(scene)
            try await pipe.open("a")
            try await pipe.reader.stopRunning()
            try await pipe.puppet.pass(40_000_000, from: "a'", to: "a")
            try await pipe.tapline.program.send(SIGTERM)
            // Two seconds to drain, and some patience with the reader, which is still stopped.
            #expect(try await pipe.tapline.program.exit() == .exited(0))
            let record = try #require(try pipe.tapline.recordsSoFar.first)
            #expect(record.isBalanced && record.reason == "drained" && record.droppedBytes ?? 0 > 0)
            try await pipe.reader.goOn()
        }
    }
}
