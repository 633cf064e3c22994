import Configuration
import Glibc
import Logging
import TestSupport
import Testing

@testable import Daemon

@Suite struct AccessLogTests {
    private func finish(_ outputs: Outputs) throws {
        let isDone = Monitor(false)
        outputs.finish { isDone.withLock { $0 = true } }
        _ = try isDone.wait(for: "every line is written") { $0 ? true : nil }
        outputs.join()
    }

    private func change(_ outputs: Outputs, to settings: LogSettings, reopening: Bool = false) throws {
        outputs.apply(try outputs.prepare(settings, reopening: reopening))
    }

    @Test func noLine_isLostOrDoubled_whileTheOutputChanges() async throws {
        try await Exclusive.run {
            try await TemporaryFolder.run { folder in
                let files = (0..<5).map { "\(folder)/access.\($0)" }
                let outputs = try Outputs(LogSettings(level: .error, access: .file(files[0])), view: nil)
                let writers = try (0..<3).map { thread in
                    try Background("writer") {
                        for number in 0..<10_000 { outputs.write("\(thread):\(number)\n") }
                    }
                }
                var turn = 0
                while !writers.allSatisfy(\.isDone) {
                    turn += 1
                    try change(
                        outputs, to: LogSettings(level: .error, access: .file(files[turn % files.count])),
                        reopening: true)
                }
                for writer in writers { try writer.value() }
                try finish(outputs)
                #expect(outputs.missingEndRecords == 0)
                let lines = files.compactMap { Files.read($0) }.joined().split(separator: "\n")
                #expect(lines.count == 30_000)
                #expect(Set(lines).count == 30_000)
            }
        }
    }

    @Test func off_takesNothing_andBackOn_continuesInTheFile() async throws {
        try await Exclusive.run {
            try await TemporaryFolder.run { folder in
                let path = "\(folder)/access.log"
                let outputs = try Outputs(LogSettings(access: .file(path)), view: nil)
                outputs.write("one\n")
                try change(outputs, to: LogSettings(access: .off))
                outputs.write("two\n")
                try change(outputs, to: LogSettings(access: .file(path)))
                outputs.write("three\n")
                try finish(outputs)
                // Each output has its own thread, and the later one does not wait for the earlier: either line may be
                // first.
                #expect(["one\nthree\n", "three\none\n"].contains(Files.read(path)))
            }
        }
    }

    @Test func aChangeThatIsDiscarded_leavesNothingBehind() async throws {
        try await Exclusive.run {
            try await TemporaryFolder.run { folder in
                let outputs = try Outputs(LogSettings(access: .file("\(folder)/a")), view: nil)
                outputs.discard(try outputs.prepare(LogSettings(access: .file("\(folder)/b")), reopening: false))
                outputs.write("one\n")
                try finish(outputs)
                #expect(Files.read("\(folder)/a") == "one\n")
                #expect(Files.read("\(folder)/b") == "")
            }
        }
    }

    /// The old output's thread is blocked within a line; the new one does not wait for it.
    @Test func anOutputThatTakesNothing_doesNotHoldTheNextOneUp() async throws {
        try await Exclusive.run {
            try await TemporaryFolder.run { folder in
                let fifo = try TemporaryFIFO()
                let line = String(repeating: "x", count: 200_000) + "\n"
                let outputs = try Outputs(LogSettings(access: .file(fifo.path)), view: nil)
                outputs.write(line)
                try change(outputs, to: LogSettings(access: .file("\(folder)/a")))
                outputs.write("one\n")
                try Deadline.poll("the new file has the line") { Files.read("\(folder)/a") == "one\n" }
                #expect(outputs.missingEndRecords == 1)
                #expect(fifo.read(count: line.utf8.count) == line)
                fifo.closeReader()
                try finish(outputs)
                #expect(outputs.missingEndRecords == 0)
            }
        }
    }

    @Test func level_isThatOfEveryLoggerAtOnce() async throws {
        try await Exclusive.run {
            let outputs = try Outputs(LogSettings(level: .error, access: .off), view: nil)
            let logger = outputs.logger
            #expect(logger.logLevel == .error)
            outputs.level = .debug
            #expect(logger.logLevel == .debug)
            outputs.level = .error
            var own = logger
            own.logLevel = .critical
            #expect(logger.logLevel == .error)
            #expect(own.logLevel == .critical)
            try finish(outputs)
        }
    }
}
