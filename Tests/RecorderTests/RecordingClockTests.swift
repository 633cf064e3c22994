import EventLoop
import Foundation
import Sockets
import TestSupport
import Testing
import Text

@testable import Recorder
@testable import Recording

/// The times in a recording: wall-clock times in the order of the packets.
@Suite struct RecordingClockTests {
    /// The clocks' readings, set by the test.
    private final class Clocks {
        var reading = RecordingClock.Reading(time: 5_000_000_000, ticks: 1_000_000_000, doubt: 50)
    }

    @Test func whatIsLate_getsTheTimeOfWhatIsBeforeIt() {
        let clocks = Clocks()
        var clock = RecordingClock { clocks.reading }
        #expect(clock.time(at: 1_000_000_700) == 5_000_000_700)
        #expect(clock.time(at: 1_000_000_300) == 5_000_000_700)
        #expect(clock.time(at: 60_000_000_000) == 64_000_000_000)
        #expect(clock.time(at: 2) == 64_000_000_000)
        #expect(clock.time(at: 60_000_000_001) == 64_000_000_001)
    }

    @Test(arguments: [86_400_000_000_000, -86_400_000_000_000, 1_000_000, -1_000_000, 51, -51])
    func clockThatIsSet_isFollowed(jump: Int64) {
        let clocks = Clocks()
        var clock = RecordingClock { clocks.reading }
        #expect(clock.time(at: 1_000_000_100) == 5_000_000_100)
        clocks.reading.ticks += 1000
        clocks.reading.time += 1000 + jump
        #expect(clock.time(at: 1_000_000_200) == 5_000_000_200)
        clock.look()
        #expect(clock.time(at: 1_000_000_300) == 5_000_000_300 + jump)
    }

    /// A thread that was preempted between reading the two clocks does not replace a better earlier reading.
    @Test func readingInDoubt_changesNothing_whereTheClockMayBeRight() {
        let clocks = Clocks()
        var clock = RecordingClock { clocks.reading }
        clocks.reading = .init(time: 5_030_000_000, ticks: 1_000_000_000, doubt: 30_000_000)
        clock.look()
        #expect(clock.time(at: 1_040_000_000) == 5_040_000_000)
        clocks.reading = .init(time: 5_130_000_000, ticks: 1_100_000_000, doubt: 100)
        clock.look()
        #expect(clock.time(at: 1_140_000_000) == 5_170_000_000)
    }

    /// No reading of a clock may trap.
    @Test(
        arguments: [
            (.min, 0), (.max, 0), (.min, .max), (.max, .max), (0, .max), (5_000_000_000, 0),
        ] as [(Int64, UInt64)])
    func clockAtItsEnds_isFollowed(time: Int64, ticks: UInt64) {
        let clocks = Clocks()
        clocks.reading = .init(time: 0, ticks: 0, doubt: 0)
        var clock = RecordingClock { clocks.reading }
        clocks.reading = .init(time: time, ticks: ticks, doubt: 0)
        clock.look()
        #expect(clock.time(at: ticks) == time)
    }

    /// The monotonic clock of a migrated virtual machine may go back: the file's age does not trap.
    @Test func monotonicClockThatGoesBack_rotatesNothing_untilTheAgeIsReached() async throws {
        try await TemporaryFolder.run { folder in
            let second: UInt64 = 1_000_000_000
            let clock = Ticks(100 * second)
            var files = RecordingFiles(directory: try Directory(path: folder), relay: "relay", keep: 0)
            let file = try files.begin(at: WallClock.now)
            let progress = RecorderProgress()
            let plan = Recorder.Plan(name: "relay", buffer: 1 << 20, hasRecords: true, application: "test")
            let stream = RecordingStream(
                plan, sink: .files(files, file, FileRotation(size: 0, age: Int64(10 * second))),
                logger: LogCapture().logger, progress: progress, finished: { _, _ in }, ticks: { clock.now })
            stream.start()
            let address = SocketAddress.ipv4(.loopback, port: 1)
            let origin = ConversationOrigin(
                id: 1, relay: "relay", client: address, listener: address, local: address, upstream: "127.0.0.1:2",
                upstreamName: nil, upstreamPort: 2, accepted: WallClock.now)
            let tapped = TappedConversation(
                Conversation(origin), account: TapAccount(), counters: RecordingCounters(), hasRecord: true, upStart: 0,
                downStart: 0)
            #expect(stream.prepare(for: RecordingStream.leastRoom, at: origin.accepted))
            stream.append(tapped.conversation.accepted(), of: tapped, RawSpan())
            stream.endPiece(of: tapped, .up, 0)
            clock.now = 50 * second
            stream.rotateIfOld(at: WallClock.now)
            #expect(progress.now.file == file.path)
            clock.now = 109 * second
            stream.rotateIfOld(at: WallClock.now)
            #expect(progress.now.file == file.path)
            clock.now = 110 * second
            stream.rotateIfOld(at: WallClock.now)
            #expect(progress.now.file == nil)
            stream.close()
        }
    }

    private final class Ticks {
        var now: UInt64

        init(_ now: UInt64) {
            self.now = now
        }
    }

    @Test func systemsClocks_areReadTogether() {
        let before = WallClock.now
        let reading = RecordingClock.Reading.now()
        #expect((before...WallClock.now).contains(reading.time))
        #expect(reading.doubt < 60_000_000_000 && reading.ticks <= EventLoop.nanoseconds)
    }

    /// Two workers: one stages the accept and the first bytes of a connection, and is delayed before it appends them to
    /// the ring.
    @Test func eventsOfTwoWorkers_outOfOrder_areInOrderInTheFile() async throws {
        try await Exclusive.run {
            try await TemporaryFolder.run { folder in
                var files = RecordingFiles(directory: try Directory(path: folder), relay: "relay", keep: 0)
                let file = try files.begin(at: WallClock.now)
                let path = file.path
                let recorder = try Recorder.unobserved(
                    Recorder.Plan(name: "relay", buffer: 4 << 20, hasRecords: true, application: "test"),
                    .files(files, file, FileRotation(size: 0, age: 0)))
                let before = WallClock.now
                let start = EventLoop.nanoseconds
                let second: UInt64 = 1_000_000_000
                Self.connection(1, at: start + second, to: recorder.ring)
                Self.connection(2, at: start, to: recorder.ring)
                Self.connection(3, at: start + 2 * second, to: recorder.ring)
                recorder.wake()
                #expect(recorder.end())

                var reader = CaptureReader()
                reader.append(try #require(FileManager.default.contents(atPath: path)).map { $0 })
                var times: [Int64] = []
                while let packet = try reader.next() { times.append(packet.time) }
                // A handshake and a segment of each connection, and the end of those still open.
                #expect(times.count >= 3 * 4)
                #expect(times == times.sorted() && Set(times).count == times.count)
                let (first, last) = (try #require(times.first), try #require(times.last))
                #expect((Int64(second)..<Int64(60 * second)).contains(first - before))
                #expect(last - first >= Int64(second))
            }
        }
    }

    /// A worker's events of a connection that is accepted, connected, and passes a byte.
    private static func connection(_ id: UInt64, at ticks: UInt64, to ring: TapRing) {
        let address = SocketAddress.ipv4(.loopback, port: UInt16(1000 + id))
        let origin = ConversationOrigin(
            id: id, relay: "relay", client: address, listener: .ipv4(.loopback, port: 1),
            local: .ipv4(.loopback, port: 1), upstream: "127.0.0.1:2", upstreamName: nil, upstreamPort: 2,
            accepted: WallClock.now)
        let beginning = TapBeginning(
            origin: origin, isFromMiddle: false, upstreamAddress: nil, upOffset: 0, downOffset: 0,
            endedFlows: EndedFlows(), hasRecord: false)
        let account = TapAccount()
        _ = ring.append(
            TapEvent(kind: .begun, connection: id, ticks: ticks), RawSpan(),
            attachment: TapNote(.begun(beginning), account))
        _ = ring.append(
            TapEvent(kind: .connected, connection: id, ticks: ticks + 1000), RawSpan(),
            attachment: TapNote(.connected(.ipv4(.loopback, port: 2)), account))
        _ = ring.append(TapEvent(kind: .data, connection: id, ticks: ticks + 2000), [UInt8(1)].span.bytes)
    }
}
