import Configuration
import EventLoop
import Glibc
import Logging
import Sockets
import TestSupport
import Testing

@testable import Daemon

/// Against real folders: the ways in which programs change a configuration file.
@Suite struct ConfigurationWatchTests {
    /// The content at each `look`.
    private final class Looks {
        var contents: [String?] = []
        var causes: [LookCause] = []
        let path: String

        init(_ path: String) {
            self.path = path
        }

        func look(_ cause: LookCause) {
            contents.append(Files.read(path))
            causes.append(cause)
        }
    }

    /// Watches `conf/a.yaml` in a new folder that `prepare` fills; the body changes it and waits for `look`.
    private func watch(
        prepare: (String) throws -> Void = { try Files.write("one", to: "\($0)/a.yaml") },
        _ body: (LoopHarness, Looks, String) throws -> Void
    ) async throws {
        try await TemporaryFolder.run { root in
            let folder = "\(root)/conf"
            try Files.makeDirectory(folder)
            try prepare(folder)
            let looks = Looks("\(folder)/a.yaml")
            let log = LogCapture()
            try await LoopHarness.run { harness in
                let watch = ConfigurationWatch(
                    loop: harness.loop, path: looks.path, logger: log.logger, look: looks.look)
                defer { watch.close() }
                // A change before the watch is found, too.
                try harness.turn(until: "the first look") { !looks.contents.isEmpty }
                try body(harness, looks, folder)
                #expect(!watch.isSlow)
            }
            #expect(log.all == [])
        }
    }

    private func expect(_ content: String?, _ looks: Looks, _ harness: LoopHarness) throws {
        try harness.turn(until: "a look at \(content ?? "nothing")") { looks.contents.last == content }
    }

    @Test func aLookWithoutAnEvent_isAPrecaution_andOneAfterAnEventIsNot() async throws {
        try await watch { harness, looks, folder in
            #expect(Set(looks.causes) == [.precaution])
            try Files.replace("\(folder)/a.yaml", with: "one")
            try harness.turn(until: "a reported change") { looks.causes.last == .report }
        }
    }

    @Test func aFileWrittenInPlace_isLookedAt() async throws {
        try await watch { harness, looks, folder in
            try Files.write("two", to: "\(folder)/a.yaml")
            try expect("two", looks, harness)
            try Files.append("+", to: "\(folder)/a.yaml")
            try expect("two+", looks, harness)
        }
    }

    @Test func aFileRenamedOver_isLookedAt_againAndAgain() async throws {
        try await watch { harness, looks, folder in
            for text in ["two", "three", "four"] {
                try Files.replace("\(folder)/a.yaml", with: text)
                try expect(text, looks, harness)
            }
        }
    }

    @Test func aFileDeletedAndRecreated_isLookedAt() async throws {
        try await watch { harness, looks, folder in
            try Files.remove("\(folder)/a.yaml")
            try expect(nil, looks, harness)
            try Files.write("two", to: "\(folder)/a.yaml")
            try expect("two", looks, harness)
        }
    }

    /// vim with `backupcopy=no`: the old file is renamed, and a new one gets its name.
    @Test func aFileMovedAwayAndRecreated_isLookedAtOnce() async throws {
        try await watch { harness, looks, folder in
            let before = looks.contents.count
            try Files.write("", to: "\(folder)/.a.yaml.swp")
            try Files.write("", to: "\(folder)/4913")
            try Files.remove("\(folder)/4913")
            try Files.move("\(folder)/a.yaml", to: "\(folder)/a.yaml~")
            try Files.write("two", to: "\(folder)/a.yaml")
            try Files.remove("\(folder)/a.yaml~")
            try Files.remove("\(folder)/.a.yaml.swp")
            try expect("two", looks, harness)
            #expect(looks.contents.count == before + 1)
        }
    }

    @Test func aConfigMap_swapped_isLookedAt_againAndAgain() async throws {
        func publish(_ text: String, _ number: Int, in folder: String) throws {
            try Files.makeDirectory("\(folder)/..\(number)")
            try Files.write(text, to: "\(folder)/..\(number)/a.yaml")
            try Files.link("\(folder)/..data", to: "..\(number)")
            guard number > 1 else { return }
            try Files.remove("\(folder)/..\(number - 1)/a.yaml")
            try Files.remove("\(folder)/..\(number - 1)")
        }
        try await watch { folder in
            try publish("one", 1, in: folder)
            try Files.link("\(folder)/a.yaml", to: "..data/a.yaml")
        } _: { harness, looks, folder in
            for (place, text) in ["two", "three", "four"].enumerated() {
                try publish(text, place + 2, in: folder)
                try expect(text, looks, harness)
            }
        }
    }

    @Test func aFileBehindALink_isLookedAt_whenItChangesAndWhenTheLinkDoes() async throws {
        try await watch { folder in
            for name in ["here", "there"] {
                try Files.makeDirectory("\(folder)/\(name)")
                try Files.write(name, to: "\(folder)/\(name)/b.yaml")
            }
            try Files.link("\(folder)/current", to: "here")
            try Files.link("\(folder)/a.yaml", to: "current/b.yaml")
        } _: { harness, looks, folder in
            try expect("here", looks, harness)
            try Files.replace("\(folder)/here/b.yaml", with: "changed here")
            try expect("changed here", looks, harness)
            try Files.link("\(folder)/current", to: "there")
            try expect("there", looks, harness)
            try Files.write("changed there", to: "\(folder)/there/b.yaml")
            try expect("changed there", looks, harness)
        }
    }

    @Test func aFolderDeletedAndRecreated_isFoundAgain() async throws {
        try await watch { harness, looks, folder in
            for text in ["two", "three"] {
                try Files.remove("\(folder)/a.yaml")
                try Files.remove(folder)
                try Files.makeDirectory(folder)
                try Files.write(text, to: "\(folder)/a.yaml")
                try expect(text, looks, harness)
                // Once more, in the new folder.
                try Files.replace("\(folder)/a.yaml", with: text + "+")
                try expect(text + "+", looks, harness)
            }
        }
    }

    @Test func aFolderThatStaysAwayForAWhile_isFoundAgain() async throws {
        try await watch { harness, looks, folder in
            try Files.move(folder, to: folder + ".old")
            try expect(nil, looks, harness)
            try Files.makeDirectory(folder)
            try Files.write("two", to: "\(folder)/a.yaml")
            try expect("two", looks, harness)
        }
    }

    @Test func anotherFileInTheFolder_doesNotWakeIt() async throws {
        try await watch { harness, looks, folder in
            let before = looks.contents.count
            for _ in 0..<ConfigurationWatch.mostOthers / 2 {
                try Files.append("line\n", to: "\(folder)/access.log")
                harness.loop.turn(wait: true)
            }
            #expect(looks.contents.count == before)
            try Files.write("two", to: "\(folder)/a.yaml")
            try expect("two", looks, harness)
            #expect(looks.contents.count == before + 1)
        }
    }

    /// Every event that is read causes another one, as a trace of this process in the folder would: libuv would never
    /// stop reading.
    @Test func aLogThatIsWrittenToWithoutPause_holdsNothingUp() async throws {
        try await TemporaryFolder.run { folder in
            let path = "\(folder)/a.yaml"
            try Files.write("one", to: path)
            let looks = Looks(path)
            try await LoopHarness.run { harness in
                // Not earlier: another test may be counting the process's descriptors.
                let log = open("\(folder)/trace", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
                defer { close(log) }
                let watch = ConfigurationWatch(
                    loop: harness.loop, path: path, logger: LogCapture().logger,
                    watchDirectory: { loop, path, action throws(DirectoryWatch.Failure) in
                        try DirectoryWatch(loop: loop, path: path) { name in
                            pwrite(log, "x", 1, 0)
                            action(name)
                        }
                    }, look: looks.look)
                defer { watch.close() }
                for text in ["two", "three"] {
                    pwrite(log, "x", 1, 0)
                    try Files.replace(path, with: text)
                    try expect(text, looks, harness)
                }
            }
        }
    }

    @Test func aFileThatNeverRests_isLookedAtAllTheSame() async throws {
        try await watch { harness, looks, folder in
            let before = looks.contents.count
            try harness.turn(until: "a look while it is written to") {
                _ = try? Files.append(".", to: "\(folder)/a.yaml")
                return looks.contents.count > before
            }
        }
    }

    @Test func aFolderThatCannotBeWatched_isComparedInstead_andThatIsSaidOnce() async throws {
        try await TemporaryFolder.run { folder in
            let path = "\(folder)/a.yaml"
            try Files.write("one", to: path)
            let looks = Looks(path)
            let log = LogCapture()
            try await LoopHarness.run { harness in
                let watch = ConfigurationWatch(
                    loop: harness.loop, path: path, logger: log.logger,
                    watchDirectory: { _, _, _ throws(DirectoryWatch.Failure) in throw .watchLimit },
                    look: looks.look)
                defer { watch.close() }
                #expect(watch.isSlow)
                try expect("one", looks, harness)
                try Files.replace(path, with: "two")
                try expect("two", looks, harness)
            }
            #expect(log.all.count == 1)
            #expect(log.contains("warning", "checked every 2 s", folder, "fs.inotify.max_user_watches"))
        }
    }

    @Test func aThreadThatCannotBeStarted_leavesTheFoldersWatched_andThatIsSaid() async throws {
        try await TemporaryFolder.run { folder in
            let path = "\(folder)/a.yaml"
            try Files.write("one", to: path)
            let looks = Looks(path)
            let log = LogCapture()
            try await LoopHarness.run { harness in
                let watch = ConfigurationWatch(
                    loop: harness.loop, path: path, logger: log.logger, makePoll: { _, _, _ in throw Errno(EAGAIN) },
                    look: looks.look)
                defer { watch.close() }
                #expect(!watch.isSlow)
                try expect("one", looks, harness)
                try Files.replace(path, with: "two")
                try expect("two", looks, harness)
            }
            #expect(log.all.count == 1)
            #expect(log.contains("warning", "need a SIGHUP", "\(Errno(EAGAIN))"))
        }
    }

    @Test func neitherThreadNorWatch_isSaid() async throws {
        try await TemporaryFolder.run { folder in
            let path = "\(folder)/a.yaml"
            try Files.write("one", to: path)
            let looks = Looks(path)
            let log = LogCapture()
            try await LoopHarness.run { harness in
                let watch = ConfigurationWatch(
                    loop: harness.loop, path: path, logger: log.logger, makePoll: { _, _, _ in throw Errno(EAGAIN) },
                    watchDirectory: { _, _, _ throws(DirectoryWatch.Failure) in throw .watchLimit },
                    look: looks.look)
                defer { watch.close() }
                try expect("one", looks, harness)
            }
            #expect(log.contains("warning", "reloaded only on SIGHUP", folder, "fs.inotify.max_user_watches"))
        }
    }
}
