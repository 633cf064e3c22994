import Configuration
import EventLoop
import Glibc
import Recording
import Relay
import Sockets
import Synchronization
import Terminal
import TestSupport
import Testing
import Text

@testable import Daemon

/// Against real files, FIFOs and `/dev/full`. No test waits for a time, only for a thread or a pipe.
@Suite(.besideOthers) struct OutputWriterTests {
    init() {
        signal(SIGPIPE, SIG_IGN)
    }

    @Test func items_areWrittenInOrderAndWhole() throws {
        let file = try TemporaryFile()
        let writer = try lines(to: OutputFile(appendingTo: file.path), limit: 100_000, Troubles())
        for number in 0..<50_000 { writer.post("line \(number)\n") }
        finish(writer)
        #expect(file.contents == (0..<50_000).map { "line \($0)\n" }.joined())
        #expect(writer.missing == 0)
    }

    @Test func aFile_isCreatedWith0640AndAppendedTo() throws {
        let file = try TemporaryFile()
        let old = umask(0)
        defer { umask(old) }
        for text in ["first\n", "second\n"] {
            let writer = try lines(to: OutputFile(appendingTo: file.path), limit: 10, Troubles())
            writer.post(text)
            finish(writer)
        }
        #expect(file.contents == "first\nsecond\n")
        var status = stat()
        #expect(stat(file.path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o640)
    }

    @Test(arguments: [
        ("", "cannot open FOLDER for writing: Is a directory (EISDIR); name a file in it"),
        (
            "/missing/access.log",
            "cannot open FOLDER/missing/access.log for writing: No such file or "
                + "directory (ENOENT); create its directory first"
        ),
        (
            "/fifo",
            "cannot open FOLDER/fifo for writing: No such device or address (ENXIO); start its reader first"
        ),
    ])
    func aFileThatCannotBeOpened_isAnErrorThatSaysWhatToDo(name: String, message: String) throws {
        let file = try TemporaryFile()
        #expect(mkfifo(file.folder + "/fifo", 0o600) == 0)
        let error = try #require(throws: SystemError.self) { _ = try OutputFile(appendingTo: file.folder + name) }
        #expect(error.description == message.replacing("FOLDER", with: file.folder))
    }

    @Test func aFullDisk_isReportedOnce_andWhatIsLeftAtTheEndIsCounted() throws {
        let troubles = Troubles()
        let writer = try lines(to: OutputFile(appendingTo: "/dev/full"), limit: 1000, troubles)
        for number in 0..<100 { writer.post("line \(number)\n") }
        finish(writer)
        #expect(troubles.all == [.failed(Errno(ENOSPC), mayRecover: true), .ended(lost: 100)])
    }

    @Test func aReaderThatIsGone_isReportedOnce_andTheWriterStillCounts() throws {
        let fifo = try TemporaryFIFO()
        let output = try OutputFile(appendingTo: fifo.path)
        fifo.closeReader()
        let troubles = Troubles()
        let writer = try lines(to: output, limit: 1000, troubles)
        for number in 0..<100 { writer.post("line \(number)\n") }
        finish(writer)
        #expect(troubles.all == [.failed(Errno(EPIPE), mayRecover: false), .ended(lost: 100)])
    }

    @Test func aReaderThatStalls_losesOnlyWhatDoesNotFit_andTheLossIsReported() throws {
        let fifo = try TemporaryFIFO()
        let troubles = Troubles()
        let writer = try lines(to: OutputFile(appendingTo: fifo.path), limit: 50, troubles)
        // A line fills the FIFO several times, so that the writer blocks within the first one.
        let line = String(repeating: "x", count: 200_000) + "\n"
        var accepted = 0
        for _ in 0..<80 where writer.reserve(1) {
            writer.post(line, reserved: 1)
            accepted += 1
        }
        #expect(accepted == 50)
        #expect(troubles.all == [.full])
        let text = fifo.read(count: accepted * line.utf8.count)
        finish(writer)
        #expect(text == String(repeating: line, count: accepted))
        #expect(troubles.all == [.full, .recovered(lost: 80 - accepted)])
    }

    @Test func aMessageAboutTheOutput_isInTheOutput() throws {
        let fifo = try TemporaryFIFO()
        let line = String(repeating: "x", count: 200_000) + "\n"
        let writer = try OutputWriter<String>(
            name: "test", output: OutputFile(appendingTo: fifo.path), limit: 1,
            report: { trouble in
                guard case .recovered(let lost) = trouble else { return nil }
                return "\(lost) lost\n"
            },
            render: { $1.append($0) })
        writer.post(line)
        for _ in 0..<3 { writer.post("late\n") }
        let expected = line + "3 lost\n"
        #expect(fifo.read(count: expected.utf8.count) == expected)
        finish(writer)
    }

    @Test func troubles_readAsSentences() {
        let all: [(OutputTrouble, String)] = [
            (
                .failed(Errno(ENOSPC), mayRecover: true),
                "cannot write end records to a.log: No space left on device (ENOSPC); they wait, and the write is retried"
            ),
            (
                .failed(Errno(EPIPE), mayRecover: false),
                "cannot write end records to a.log: Broken pipe (EPIPE); the relay continues without them"
            ),
            (.full, "a.log is too slow for end records: some are being lost"),
            (.recovered(lost: 0), "a.log accepts end records again, none were lost"),
            (.recovered(lost: 3), "a.log accepts end records again, 3 were lost"),
            (.ended(lost: 7), "7 end records were never written to a.log"),
        ]
        for (trouble, message) in all { #expect(trouble.message("end records", to: "a.log") == message) }
    }

    @Test func trafficThatDoesNotFit_isCountedForItsFlow() throws {
        let fifo = try TemporaryFIFO()
        let received = Mutex<[Traffic]>([])
        let piece = [UInt8](repeating: 0x41, count: 1000)
        try collect(into: fifo) { writer, seen in
            let tap = TrafficTap(writer: writer, omitted: OmittedTraffic())
            // The first piece blocks the writer; with this limit the next ones have no room.
            tap.passed(1, .up, piece.span.bytes)
            tap.passed(1, .down, piece.span.bytes)
            tap.passed(1, .down, piece.span.bytes)
            tap.passed(2, .up, piece.span.bytes)
            tap.ended(Self.record(1))
            _ = fifo.read(count: 400_000)
            received.withLock { $0 = seen() }
        }
        let all = received.withLock { $0 }
        #expect(all.count == 2)
        guard case .passed(let flow, let bytes, _, unseen: 0) = all.first,
            case .ended(let ending, _) = all.last, ending.connection == 1, ending.unseenUp == 0,
            ending.unseenDown == 2000
        else {
            Issue.record("unexpected: \(all)")
            return
        }
        #expect(flow == Traffic.Flow(connection: 1, direction: .up))
        #expect(bytes == piece)
    }

    /// The record of a connection that has ended.
    private static func record(_ id: UInt64) -> ConnectionRecord {
        var record = ConnectionRecord(
            id: id, relay: "web", generation: 1, client: .unix(path: ""), listener: .unix(path: "/listener"),
            upstream: "db:1", accepted: 0)
        record.end = ConnectionRecord.End(time: 1_000_000, duration: 1_000_000, reason: .clientClosed, errno: nil)
        return record
    }

    /// End records on the same output follow the bytes, also when the output is slow.
    @Test func endOfShownTraffic_isReportedAfterItsBytesWereWritten() throws {
        let fifo = try TemporaryFIFO()
        let (writer, tap) = try Outputs.showTraffic(
            .text, to: OutputFile(appendingTo: fifo.path), LogCapture().logger)
        let ends = Mutex<[UInt64]>([])
        let piece = [UInt8](repeating: 0x41, count: 200_000)
        // The first piece fills the FIFO several times.
        for id in 1...3 as ClosedRange<UInt64> {
            tap.opened(Self.record(id))
            tap.passed(id, .up, piece.span.bytes)
            tap.ended(Self.record(id)) { ends.withLock { $0.append(id) } }
        }
        try fifo.awaitFull()
        #expect(ends.withLock { $0 } == [])
        let ending = try Background("the writer ends") {
            writer.finish {}
            writer.join()
        }
        let text = fifo.read(until: { ending.isDone })
        try ending.value()
        #expect(ends.withLock { $0 } == [1, 2, 3])
        for id in 1...3 {
            let marks = ["#\(id) opened", "#\(id) client", "#\(id) closed by client"]
            let places = marks.compactMap { text.firstRange(of: $0)?.lowerBound }
            #expect(places.count == 3 && places == places.sorted())
        }
    }

    /// An output that fails does not keep end records back.
    @Test func endOfShownTraffic_isReported_whenItsBytesAreLost() throws {
        let fifo = try TemporaryFIFO()
        let output = try OutputFile(appendingTo: fifo.path)
        fifo.closeReader()
        let (writer, tap) = try Outputs.showTraffic(.text, to: output, LogCapture().logger)
        let ends = Mutex(0)
        for id in 1...100 as ClosedRange<UInt64> {
            tap.opened(Self.record(id))
            tap.ended(Self.record(id)) { ends.withLock { $0 += 1 } }
        }
        writer.finish {}
        writer.join()
        tap.ended(Self.record(101)) { ends.withLock { $0 += 1 } }
        #expect(ends.withLock { $0 } == 101)
    }

    /// A stopped terminal while clients come and go: pending items are bounded, and the sum of the rest is shown later.
    @Test func trafficOfManyConnections_whileNothingIsRead_isBoundedAndSummedUp() throws {
        let fifo = try TemporaryFIFO()
        let limit = 1 << 20
        let (writer, tap) = try Outputs.showTraffic(
            .text, to: OutputFile(appendingTo: fifo.path), LogCapture().logger, limit: limit)
        let piece = [UInt8](repeating: 0x41, count: 1000)
        // These connections stay open; the last of them have no room for some of their bytes. The writer takes a batch
        // of the first ones, and then the terminal accepts nothing.
        let open: UInt64 = 2_000
        for connection in 1...open / 2 { tap.passed(connection, .up, piece.span.bytes) }
        try fifo.awaitFull()
        for connection in open / 2 + 1...open { tap.passed(connection, .up, piece.span.bytes) }
        #expect(writer.waiting <= limit)
        let before = writer.waiting
        let more: UInt64 = 10_000
        for connection in open + 1...open + more {
            tap.passed(connection, .up, piece.span.bytes)
            tap.passed(connection, .down, piece.span.bytes)
            tap.ended(Self.record(connection))
        }
        // The ends of the first ones may have filled the rest; no other item is pending.
        let ends = UInt64((writer.waiting - before) / TrafficTap.overhead)
        #expect(writer.waiting <= limit && ends < 6)

        // The terminal continues.
        let ending = try Background("the writer ends") {
            writer.finish {}
            writer.join()
        }
        let text = fifo.read(until: { ending.isDone })
        try ending.value()
        let lines = text.split(separator: "\n")
        // The writer reports the sum each time it has caught up.
        let sums = try lines.compactMap { line -> (bytes: UInt64, connections: UInt64)? in
            guard let omitted = line.firstMatch(of: /(\d+) bytes of (\d+) connections omitted: the output was too slow/)
            else {
                return nil
            }
            return (try #require(UInt64(omitted.1)), try #require(UInt64(omitted.2)))
        }
        #expect(sums.map(\.connections).reduce(0, +) == more - ends)
        #expect(sums.map(\.bytes).reduce(0, +) == 2000 * (more - ends))
        #expect(lines.count { $0.contains("1000 bytes not shown: the output was too slow") } == 2 * Int(ends))
    }

    @Test func everyFinish_isAnswered_alsoAfterTheEnd() throws {
        let file = try TemporaryFile()
        let writer = try lines(to: OutputFile(appendingTo: file.path), limit: 10, Troubles())
        let answers = Monitor<Set<Int>>([])
        writer.post("line\n")
        for number in 1...3 { writer.finish { answers.withLock { _ = $0.insert(number) } } }
        writer.join()
        writer.finish { answers.withLock { _ = $0.insert(4) } }
        #expect(try answers.wait(for: "four answers") { $0.count == 4 ? $0 : nil } == [1, 2, 3, 4])
        #expect(file.contents == "line\n")
    }

    // MARK: Helpers

    private func lines(to output: OutputFile, limit: Int, _ troubles: Troubles) throws -> OutputWriter<String> {
        try OutputWriter<String>(
            name: "test", output: output, limit: limit,
            report: { trouble in
                troubles.list.withLock { $0.append(trouble) }
                return nil
            },
            render: { $1.append($0) })
    }

    /// Runs with a traffic writer that has room for one piece; each item fills the FIFO.
    private func collect(
        into fifo: TemporaryFIFO, _ use: (OutputWriter<Traffic>, () -> [Traffic]) throws -> Void
    ) throws {
        let seen = Seen()
        let writer = try OutputWriter<Traffic>(
            name: "test", output: OutputFile(appendingTo: fifo.path), limit: 1500, report: { _ in nil },
            render: { traffic, bytes in
                seen.list.withLock { $0.append(traffic) }
                bytes += [UInt8](repeating: 0x2E, count: 200_000)
            })
        try use(writer) {
            finish(writer)
            return seen.list.withLock { $0 }
        }
    }

    private func finish<Item>(_ writer: OutputWriter<Item>) {
        writer.finish {}
        writer.join()
    }

    private final class Troubles: Sendable {
        let list = Mutex<[OutputTrouble]>([])
        var all: [OutputTrouble] { list.withLock { $0 } }
    }

    private final class Seen: Sendable {
        let list = Mutex<[Traffic]>([])
    }
}
