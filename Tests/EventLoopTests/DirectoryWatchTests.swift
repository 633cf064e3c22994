import Glibc
import TestSupport
import Testing

@testable import EventLoop

@Suite struct DirectoryWatchTests {
    @Test(arguments: ["written", "created", "renamed over", "deleted", "linked", "mode changed"])
    func entry_changed_isReportedByItsName(_ change: String) async throws {
        try await TemporaryFolder.run { folder in
            try write("one", to: "\(folder)/a.yaml")
            try write("two", to: "\(folder)/other")
            try await LoopHarness.run { harness in
                var names: [String?] = []
                let watch = try DirectoryWatch(loop: harness.loop, path: folder) { names.append($0) }
                var expected = "a.yaml"
                switch change {
                case "written": try write("three", to: "\(folder)/a.yaml")
                case "created":
                    expected = "new"
                    try write("", to: "\(folder)/new")
                case "renamed over": #expect(rename("\(folder)/other", "\(folder)/a.yaml") == 0)
                case "deleted": #expect(unlink("\(folder)/a.yaml") == 0)
                case "linked":
                    expected = "..data"
                    #expect(symlink("a.yaml", "\(folder)/..data") == 0)
                default: #expect(chmod("\(folder)/a.yaml", 0o600) == 0)
                }
                try harness.turn(until: "\(expected) is reported") { names.contains(expected) }
                watch.close()
            }
        }
    }

    @Test func directoryItself_deleted_isReportedByItsOwnName() async throws {
        try await TemporaryFolder.run { folder in
            try await LoopHarness.run { harness in
                #expect(mkdir("\(folder)/inner", 0o700) == 0)
                var names: [String?] = []
                let watch = try DirectoryWatch(loop: harness.loop, path: "\(folder)/inner") { names.append($0) }
                #expect(rmdir("\(folder)/inner") == 0)
                try harness.turn(until: "the directory's end is reported") { names.contains("inner") }
                watch.close()
            }
        }
    }

    @Test func twoWatchesOfOneDirectory_areBothNotified() async throws {
        try await TemporaryFolder.run { folder in
            try await LoopHarness.run { harness in
                var notified: Set<Int> = []
                let watches = try (0..<2).map { number in
                    try DirectoryWatch(loop: harness.loop, path: folder) { _ in notified.insert(number) }
                }
                try write("", to: "\(folder)/a")
                try harness.turn(until: "both are notified") { notified == [0, 1] }
                for watch in watches { watch.close() }
            }
        }
    }

    @Test func closedInItsCallback_reportsNoMore() async throws {
        try await TemporaryFolder.run { folder in
            try await LoopHarness.run { harness in
                let notified = harness.mustCall("change")
                var close: () -> Void = {}
                let watch = try DirectoryWatch(loop: harness.loop, path: folder) { _ in
                    notified()
                    close()
                }
                close = { watch.close() }
                for name in ["a", "b", "c"] { try write(name, to: "\(folder)/\(name)") }
                try harness.turnUntilCalled()
                harness.turnAFewTimes()
                #expect(watch.isClosed)
            }
        }
    }

    @Test func aDirectoryThatIsMissing_orAFile_isAnErrorOfItsOwn() async throws {
        try await TemporaryFolder.run { folder in
            try await LoopHarness.run { harness in
                #expect(throws: DirectoryWatch.Failure.noDirectory) {
                    _ = try DirectoryWatch(loop: harness.loop, path: "\(folder)/none") { _ in }
                }
                #expect(harness.loop.openHandles == ["timer"])
            }
        }
    }

    @Test(arguments: [
        (ENOSPC, DirectoryWatch.Failure.watchLimit, "fs.inotify.max_user_watches"),
        (EMFILE, .instanceLimit, "fs.inotify.max_user_instances"),
        (ENFILE, .instanceLimit, "ulimit -n"),
        (ENOTDIR, .noDirectory, "the directory does not exist"),
        (EACCES, .other(UVError(code: -EACCES)), "permission denied (EACCES)"),
    ])
    func refusals_sayWhichLimitIsSpent(_ code: CInt, _ failure: DirectoryWatch.Failure, _ words: String) {
        #expect(DirectoryWatch.Failure(UVError(code: -code)) == failure)
        #expect(failure.description.contains(words))
    }

    private func write(_ text: String, to path: String) throws {
        guard let file = fopen(path, "we") else { throw TestFailure("\(path): errno \(errno)") }
        fputs(text, file)
        fclose(file)
    }
}
