import Configuration
import EventLoop
import Glibc
import Logging
import Sockets
import TestSupport
import Testing

@testable import Daemon

/// Against real folders: what programs do to a configuration file, and what the watch makes of it.
@Suite struct ConfigurationWatchTests {
    /// What was found at each look.
    private final class Looks {
        var contents: [String?] = []
        let path: String

        init(_ path: String) {
            self.path = path
        }

        func look() {
            contents.append(Files.read(path))
        }
    }

    /// Watches `conf/a.yaml` in a new folder, made by `prepare`; the body changes it and waits for what is looked at.
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
                // What changed before it was watched is found, too.
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

    @Test func aFileDeletedAndMadeAnew_isLookedAt() async throws {
        try await watch { harness, looks, folder in
            try Files.remove("\(folder)/a.yaml")
            try expect(nil, looks, harness)
            try Files.write("two", to: "\(folder)/a.yaml")
            try expect("two", looks, harness)
        }
    }

    /// vim with `backupcopy=no`: the old file moves away, a new one takes its name.
    @Test func aFileMovedAwayAndMadeAnew_isLookedAtOnce() async throws {
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

    @Test func aFolderDeletedAndMadeAnew_isFoundAgain() async throws {
        try await watch { harness, looks, folder in
            for text in ["two", "three"] {
                try Files.remove("\(folder)/a.yaml")
                try Files.remove(folder)
                try Files.makeDirectory(folder)
                try Files.write(text, to: "\(folder)/a.yaml")
                try expect(text, looks, harness)
                // Once more in the folder that took its place.
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

    /// Every event that is read makes another one, as when a trace of this process is written there: libuv would never
    /// stop reading.
    @Test func aLogThatIsWrittenToWithoutPause_holdsNothingUp() async throws {
        try await TemporaryFolder.run { folder in
            let path = "\(folder)/a.yaml"
            try Files.write("one", to: path)
            let looks = Looks(path)
            try await LoopHarness.run { harness in
                // Not before: another test may be counting the descriptors of the process.
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
            #expect(log.contains("warning", "compared every 2 s", folder, "fs.inotify.max_user_watches"))
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
            #expect(log.contains("warning", "read at SIGHUP only", folder, "fs.inotify.max_user_watches"))
        }
    }

    // MARK: Included files

    /// What a configuration and the files that it includes held at each look, read as a reloader reads them.
    private final class IncludedLooks {
        let path: String
        var texts: [ConfigurationText?] = []
        var paths: IncludedPaths?

        init(_ path: String) {
            self.path = path
        }

        func look() {
            let text = try? ConfigurationText(reading: path, environment: [:])
            texts.append(text)
            paths = text?.includedPaths
        }

        /// The names of the included files at the last look.
        var names: [String] { (paths?.files ?? []).map { String($0.split(separator: "/").last ?? "") } }
    }

    /// Watches `a.yaml`, which includes `conf.d` beside it, where `one.yaml` lies.
    private func watchIncluding(
        _ watchDirectory: @escaping ConfigurationWatch.WatchDirectory = {
            loop, path, action throws(DirectoryWatch.Failure) in
            try DirectoryWatch(loop: loop, path: path, action: action)
        }, _ body: (LoopHarness, IncludedLooks, String) throws -> Void
    ) async throws {
        try await TemporaryFolder.run { folder in
            try Files.write("include: conf.d\n", to: "\(folder)/a.yaml")
            try Files.makeDirectory("\(folder)/conf.d")
            try Files.write("one", to: "\(folder)/conf.d/one.yaml")
            let looks = IncludedLooks("\(folder)/a.yaml")
            try await LoopHarness.run { harness in
                let watch = ConfigurationWatch(
                    loop: harness.loop, path: looks.path, included: { looks.paths }, logger: LogCapture().logger,
                    watchDirectory: watchDirectory, look: looks.look)
                defer { watch.close() }
                try harness.turn(until: "the first looks") { looks.names == ["one.yaml"] }
                try body(harness, looks, folder)
            }
        }
    }

    /// Waits for a look that finds something else than the last one found.
    private func expectChange(_ what: String, _ looks: IncludedLooks, _ harness: LoopHarness) throws {
        guard let last = looks.texts.last else { return }
        try harness.turn(until: what) { looks.texts.last != last }
    }

    @Test func includedFiles_areLookedAt_howeverTheyChange() async throws {
        try await watchIncluding { harness, looks, folder in
            let one = "\(folder)/conf.d/one.yaml"
            try Files.write("in place", to: one)
            try expectChange("a file written in place", looks, harness)
            try Files.replace(one, with: "renamed over")
            try expectChange("a file renamed over", looks, harness)
            try Files.write("two", to: "\(folder)/conf.d/two.yml")
            try expectChange("a new file", looks, harness)
            #expect(looks.names == ["one.yaml", "two.yml"])
            try Files.move("\(folder)/conf.d/two.yml", to: "\(folder)/conf.d/two.yml.off")
            try expectChange("a file renamed away", looks, harness)
            try Files.move("\(folder)/conf.d/two.yml.off", to: "\(folder)/conf.d/2.json")
            try expectChange("a file renamed to where it counts", looks, harness)
            try Files.remove("\(folder)/conf.d/2.json")
            try expectChange("a file removed", looks, harness)
            #expect(looks.names == ["one.yaml"])
        }
    }

    @Test func anIncludedFileBehindALink_isLookedAt() async throws {
        try await watchIncluding { harness, looks, folder in
            try Files.makeDirectory("\(folder)/available")
            try Files.write("first", to: "\(folder)/available/b.yaml")
            try Files.link("\(folder)/conf.d/b.yaml", to: "../available/b.yaml")
            try expectChange("a link", looks, harness)
            try Files.write("second", to: "\(folder)/available/b.yaml")
            try expectChange("what it leads to", looks, harness)
        }
    }

    @Test func aFolderThatGoesAndComes_isLookedAt() async throws {
        try await watchIncluding { harness, looks, folder in
            try Files.move("\(folder)/conf.d", to: "\(folder)/gone")
            try expectChange("its going", looks, harness)
            #expect(looks.names == [])
            try Files.move("\(folder)/gone", to: "\(folder)/conf.d")
            try expectChange("its coming", looks, harness)
            try Files.write("again", to: "\(folder)/conf.d/one.yaml")
            try expectChange("a file in it", looks, harness)
        }
    }

    @Test func anIncludeThatAppearsOrNamesAnotherFolder_isFollowed() async throws {
        try await watchIncluding { harness, looks, folder in
            try Files.makeDirectory("\(folder)/other.d")
            try Files.replace("\(folder)/a.yaml", with: "include: other.d\n")
            try expectChange("another include", looks, harness)
            try Files.write("two", to: "\(folder)/other.d/two.yaml")
            try expectChange("a file in the other folder", looks, harness)
            #expect(looks.names == ["two.yaml"])
            let before = looks.texts.count
            try Files.write("nobody looks", to: "\(folder)/conf.d/one.yaml")
            try Files.write("three", to: "\(folder)/other.d/three.yaml")
            try expectChange("a further file", looks, harness)
            #expect(looks.texts.count <= before + 2)
        }
    }

    /// As Kubernetes mounts a ConfigMap with one key for each relay file.
    @Test func aConfigMapAsTheFolder_isFollowedFromSwapToSwap() async throws {
        try await watchIncluding { harness, looks, folder in
            let map = "\(folder)/map"
            try Files.makeDirectory(map)
            for number in 1...3 {
                try Files.makeDirectory("\(map)/..\(number)")
                try Files.write("number \(number)", to: "\(map)/..\(number)/k.yaml")
                try Files.link("\(map)/..data", to: "..\(number)")
                if number == 1 {
                    try Files.link("\(map)/k.yaml", to: "..data/k.yaml")
                    try Files.replace("\(folder)/a.yaml", with: "include: map\n")
                } else {
                    try Files.remove("\(map)/..\(number - 1)/k.yaml")
                    try Files.remove("\(map)/..\(number - 1)")
                }
                try expectChange("swap \(number)", looks, harness)
                #expect(looks.names == ["k.yaml"])
            }
        }
    }

    @Test func otherFilesInTheIncludedFolder_doNotWakeIt() async throws {
        try await watchIncluding { harness, looks, folder in
            // The first look finds what is included, and has it looked at once more.
            try harness.turn(until: "it to come to rest") { looks.texts.count >= 2 }
            let before = looks.texts.count
            for _ in 0..<100 {
                try Files.append("line\n", to: "\(folder)/conf.d/access.log")
                try Files.write("", to: "\(folder)/conf.d/.one.yaml.swp")
                harness.loop.turn(wait: true)
            }
            #expect(looks.texts.count == before)
            try Files.write("changed", to: "\(folder)/conf.d/one.yaml")
            try expectChange("the file itself", looks, harness)
            #expect(looks.texts.count == before + 1)
        }
    }

    @Test func includedFilesThatCannotBeWatched_areCompared() async throws {
        try await watchIncluding { _, _, _ throws(DirectoryWatch.Failure) in
            throw .watchLimit
        } _: { harness, looks, folder in
            try Files.write("two", to: "\(folder)/conf.d/two.yaml")
            try expectChange("a new file", looks, harness)
            try Files.replace("\(folder)/conf.d/one.yaml", with: "other")
            try expectChange("a changed file", looks, harness)
        }
    }
}
