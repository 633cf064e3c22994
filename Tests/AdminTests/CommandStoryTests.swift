import Relay
import Synchronization
import Testing

@testable import Admin

/// What `why` says about a client that waited for the command of `--exec`.
struct CommandStoryTests {
    private final class Clock: Sendable {
        let nanoseconds = Mutex<Int64>(0)
    }

    /// A history whose clock the test sets.
    private struct Bench {
        private let clock = Clock()
        let start = record().accepted
        let history: CommandHistory

        init() {
            history = CommandHistory(command: "npm start") { [clock] in clock.nanoseconds.withLock { $0 } }
        }

        /// Acts this number of seconds after the client's arrival.
        func at(_ seconds: Int64, _ act: (CommandHistory) -> Void) {
            clock.nanoseconds.withLock { $0 = start + seconds * 1_000_000_000 }
            act(history)
        }
    }

    private func ended(after seconds: Int64, reason: EndReason = .connectRefused) -> ConnectionRecord {
        var ended = record(connected: false)
        ended.end = .init(
            time: ended.accepted + seconds * 1_000_000_000, duration: seconds * 1_000_000_000, reason: reason,
            errno: nil)
        return ended
    }

    @Test func threeFailedStarts_areListed_inThePlaceOfGeneralAdvice() {
        let bench = Bench()
        for (number, how) in ["exited with status 3", "exited with status 3", "was killed by signal 9"].enumerated() {
            bench.at(Int64(number)) { $0.started(Int32(100 + number)) }
            bench.at(Int64(number)) { $0.ended(how) }
        }
        let story = Story.of(ended(after: 4), timeouts: nil, command: bench.history)
        #expect(
            story.contains(
                "While the client waited, Tapline ran the --exec command (npm start) 3 times: it exited with "
                    + "status 3, exited with status 3 and was killed by signal 9."))
        #expect(story.contains { $0.hasPrefix("The upstream did not come up because its command ended") })
        #expect(story.contains { $0.contains("refused the connection") })
        #expect(!story.joined().contains("ss -ltn"))
        #expect(Story.of(ended(after: 4), timeouts: nil).joined().contains("ss -ltn"))
    }

    @Test func equalEndings_areSaidOnce_andARunningCommandHasItsNumber() {
        let bench = Bench()
        bench.at(-5) { $0.started(99) }
        bench.at(-4) { $0.ended("exited with status 1") }
        for second in [1, 2] as [Int64] {
            bench.at(second) { $0.started(7) }
            bench.at(second) { $0.ended("exited with status 0") }
        }
        #expect(
            Story.command(bench.history, of: ended(after: 3), now: 0)[0]
                == "While the client waited, Tapline ran the --exec command (npm start) 2 times: it exited with "
                + "status 0 each time.")
        bench.at(4) { $0.started(8) }
        let waiting = record(connected: false)
        let story = Story.command(bench.history, of: waiting, now: .max)
        #expect(story[0].hasSuffix("it exited with status 0 each time; the last one is running (pid 8)."))
        #expect(story[1].hasPrefix("The command did not listen at the upstream's address in that time"))
        // It ended later than the connection.
        bench.at(9) { $0.ended("exited with status 3") }
        #expect(
            Story.command(bench.history, of: ended(after: 5), now: 0)[0]
                .hasSuffix("the last one was running at the end (pid 8)."))
    }

    @Test func otherConnections_haveNoSuchSentence() {
        let bench = Bench()
        #expect(Story.command(bench.history, of: ended(after: 5), now: 0) == [])
        #expect(Story.command(nil, of: ended(after: 5), now: 0) == [])
        bench.at(6) { $0.failed("could not be started: fork: EAGAIN") }
        #expect(Story.command(bench.history, of: ended(after: 5), now: 0) == [])
        #expect(Story.command(bench.history, of: record(reason: .upstreamReset), now: 0) == [])
        #expect(
            Story.command(bench.history, of: ended(after: 7), now: 0)[0]
                .hasSuffix("(npm start) once: it could not be started: fork: EAGAIN."))
    }

    @Test func history_isBounded() {
        let bench = Bench()
        for number in 0..<Int32(2 * CommandHistory.mostRuns) { bench.at(1) { $0.started(number) } }
        #expect(bench.history.runs(from: bench.start, to: .max).count == CommandHistory.mostRuns)
    }
}
