import Configuration
import EventLoop
import TestSupport
import Testing

@testable import Daemon

/// Against real folders: changes of included files.
@Suite struct IncludedFilesWatchTests {
    /// The content of a configuration and its included files at each `look`, read as a reloader reads them.
    private final class IncludedLooks {
        let path: String
        var texts: [ConfigurationText?] = []
        var paths: IncludedPaths?

        init(_ path: String) {
            self.path = path
        }

        func look(_: LookCause) {
            let text = try? ConfigurationText(reading: path, environment: [:])
            texts.append(text)
            paths = text?.includedPaths
        }

        /// The names of the included files at the last `look`.
        var names: [String] { (paths?.files ?? []).map { String($0.split(separator: "/").last ?? "") } }
    }

    /// Watches `a.yaml`, which includes `conf.d/one.yaml`.
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

    /// Waits for a `look` that finds another content.
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
            try Files.write("not included", to: "\(folder)/conf.d/one.yaml")
            try Files.write("three", to: "\(folder)/other.d/three.yaml")
            try expectChange("a further file", looks, harness)
            #expect(looks.texts.count <= before + 2)
        }
    }

    /// A ConfigMap that Kubernetes mounts, with one key per relay file.
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
            // The first `look` finds the included file, which causes a second one.
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
