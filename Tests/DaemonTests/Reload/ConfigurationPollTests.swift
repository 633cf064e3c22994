import Configuration
import EventLoop
import Glibc
import TestSupport
import Testing

@testable import Daemon

/// Changes that no watch of the directory reports. EndToEnd.MountedFileTests has the mount, which needs root.
@Suite struct ConfigurationPollTests {
    /// Watches `conf/a.yaml`, whose directory reports nothing, and turns the loop until `look` was called.
    private func watch(
        _ body: (LoopHarness, _ path: String, _ expect: (String?) throws -> Void) throws -> Void
    ) async throws {
        try await TemporaryFolder.run { root in
            try Files.makeDirectory("\(root)/conf")
            let path = "\(root)/conf/a.yaml"
            try Files.write("one", to: path)
            var contents: [String?] = []
            var causes: [LookCause] = []
            let log = LogCapture()
            try await LoopHarness.run { harness in
                let watch = ConfigurationWatch(
                    loop: harness.loop, path: path, logger: log.logger, pollPeriod: 20
                ) {
                    contents.append(Files.read(path))
                    causes.append($0)
                }
                defer { watch.close() }
                let expect = { (content: String?) in
                    try harness.turn(until: "a look at \(content ?? "nothing")") { contents.last == content }
                }
                try expect("one")
                #expect(Set(causes) == [.precaution])
                try body(harness, path, expect)
                #expect(causes.last == .report)
                #expect(!watch.isSlow)
            }
            #expect(log.all == [])
        }
    }

    /// Two writes, so that the second one starts from a state that the poll has read.
    @Test func aFileWrittenByItsOtherName_isLookedAt() async throws {
        try await watch { _, path, expect in
            let folder = String(path.dropLast("/conf/a.yaml".count))
            #expect(link(path, "\(folder)/other") == 0)
            for text in ["two", "three"] {
                try Files.write(text, to: "\(folder)/other")
                try expect(text)
            }
        }
    }

    @Test func aFileWrittenThroughAMapping_isLookedAt_alsoWhereItsTimesStay() async throws {
        try await watch { _, path, expect in
            let file = open(path, O_RDWR | O_CLOEXEC)
            defer { close(file) }
            let memory = mmap(nil, 3, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
            let bytes = try #require(memory).assumingMemoryBound(to: UInt8.self)
            defer { munmap(memory, 3) }
            // The first store makes the page dirty and changes the times on most file systems; later ones do not.
            for text in ["two", "six", "ten"] {
                for (place, byte) in text.utf8.enumerated() { bytes[place] = byte }
                try expect(text)
            }
        }
    }

    @Test func aFileWhoseTimesAreSetBack_isLookedAt() async throws {
        try await watch { _, path, expect in
            var status = stat()
            try #require(stat(path, &status) == 0)
            let folder = String(path.dropLast("/conf/a.yaml".count))
            #expect(link(path, "\(folder)/other") == 0)
            try Files.write("two", to: "\(folder)/other")
            var times = [status.st_atim, status.st_mtim]
            #expect(utimensat(AT_FDCWD, "\(folder)/other", &times, 0) == 0)
            try expect("two")
        }
    }

    @Test func anIncludedFileWrittenByItsOtherName_isLookedAt() async throws {
        try await TemporaryFolder.run { root in
            try Files.makeDirectory("\(root)/conf")
            try Files.makeDirectory("\(root)/conf/conf.d")
            let path = "\(root)/conf/a.yaml"
            try Files.write("include: conf.d\n", to: path)
            // More than are read in one period, so that several periods are needed.
            for number in 1...(ConfigurationPoll.mostReadAtOnce + 6) {
                try Files.write("one", to: "\(root)/conf/conf.d/\(number).yaml")
            }
            var paths: IncludedPaths?
            var texts: [ConfigurationText?] = []
            try await LoopHarness.run { harness in
                let watch = ConfigurationWatch(
                    loop: harness.loop, path: path, included: { paths }, logger: LogCapture().logger, pollPeriod: 20
                ) { _ in
                    let text = try? ConfigurationText(reading: path, environment: [:])
                    paths = text?.includedPaths
                    texts.append(text)
                }
                defer { watch.close() }
                try harness.turn(until: "the included files to be known") { texts.count >= 2 }
                for number in [1, ConfigurationPoll.mostReadAtOnce + 6] {
                    let before = texts.last
                    let other = "\(root)/other-\(number)"
                    #expect(link("\(root)/conf/conf.d/\(number).yaml", other) == 0)
                    try Files.write("changed", to: other)
                    try harness.turn(until: "a look at \(number).yaml") { texts.last != before }
                }
            }
        }
    }

    @Test func aClosedPoll_hasNoThread() async throws {
        try await TemporaryFolder.run { folder in
            try Files.write("one", to: "\(folder)/a.yaml")
            // Alone in the process, so that every thread of that name is this test's.
            try await LoopHarness.run { harness in
                // Threads of earlier tests end by themselves.
                try harness.turn(until: "no other thread of that name") { (try? threads()) == 0 }
                let poll = try ConfigurationPoll(loop: harness.loop, period: 1) { _ in }
                poll.compare(["\(folder)/a.yaml"])
                #expect(try threads() == 1)
                poll.close()
                poll.close()
                // A thread in the middle of a comparison is not joined, and ends by itself.
                try harness.turn(until: "the thread to end") { (try? threads()) == 0 }
            }
        }
    }

    /// The number of threads with that name; others may come and go.
    private func threads() throws -> Int {
        let folder = try #require(opendir("/proc/self/task"))
        defer { closedir(folder) }
        var count = 0
        while let entry = readdir(folder) {
            let id = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if Files.read("/proc/self/task/\(id)/comm") == "configuration\n" { count += 1 }
        }
        return count
    }
}
