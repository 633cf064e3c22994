import Foundation
import TestSupport
import Testing

/// The sources of reloads.
struct ReloadSourceTests {
    @Test(.needs("python3"), arguments: ReloadBench.Change.allCases)
    func aChangedFile_isInForce_andOpenConnectionsContinue(_ change: ReloadBench.Change) async throws {
        try await reloadScene { bench in
            try Files.write(bench.start, to: bench.path)
            let tapline = try await bench.run()
            try await bench.begin(bench.first, "old")
            // Otherwise the watch would find the change first if the signal is a moment late.
            if change == .signalled { try await StoppedProcess.stop(tapline.pid) }
            try await bench.change(change, to: bench.added, tapline)
            if change == .signalled { kill(tapline.pid, SIGCONT) }
            let line = try await bench.reloaded(tapline, 2)
            #expect(line.contains("\"message\":\"reloaded: added relay cache\""))
            #expect(line.contains("\"duration_ms\":"))
            #expect(line.contains("\"source\":\"\(change == .signalled ? "SIGHUP" : "file")\""))
            try await bench.converse(bench.second)
            try await bench.exchange("old")
            try await bench.end("old")
            let records = try await tapline.stop()
            #expect(records.map(\.generation) == [1, 2])
            #expect(records.map(\.relay) == ["web", "cache"])
        }
    }

    @Test(.needs("python3")) func aConfigMap_isFollowedFromSwapToSwap() async throws {
        try await reloadScene { bench in
            try bench.publish(bench.start)
            let tapline = try await bench.run()
            for generation in 2...5 {
                try bench.publish(generation % 2 == 0 ? bench.added : bench.start)
                try await bench.reloaded(tapline, generation)
            }
            try await bench.converse(bench.first)
            #expect(try await tapline.stop().map(\.generation) == [5])
        }
    }

    @Test(.needs("python3")) func aFileLeftHalfWritten_isRejected_andTheRestIsApplied() async throws {
        try await reloadScene { bench in
            try Files.write(bench.start, to: bench.path)
            let tapline = try await bench.run()
            let half = String(bench.added.dropLast(20))
            try Files.write(half, to: bench.path)
            try await tapline.program.errors.line(
                containing: "reload rejected, generation 1 stays active: \(bench.path):")
            try Files.append(String(bench.added.dropFirst(half.count)), to: bench.path)
            try await bench.reloaded(tapline, 2)
            try await bench.converse(bench.second)
            try await tapline.stop()
        }
    }

    @Test(.needs("python3")) func aFolderDeletedAndRecreated_isFoundAgain() async throws {
        try await reloadScene { bench in
            try Files.write(bench.start, to: bench.path)
            let tapline = try await bench.run()
            try FileManager.default.removeItem(atPath: bench.folder)
            try await tapline.program.errors.line(containing: "was removed; generation 1 stays active")
            try Files.makeDirectory(bench.folder)
            try Files.write(bench.added, to: bench.path)
            try await bench.reloaded(tapline, 2)
            try await tapline.stop()
        }
    }

    @Test(.needs("python3")) func theSameConfiguration_isNoGeneration() async throws {
        try await reloadScene { bench in
            let debug = bench.text([("web", bench.first)], log: "format: json, level: debug")
            try Files.write(debug, to: bench.path)
            let tapline = try await bench.run()
            // Until the file is watched, nothing says that it was touched.
            _ = try await tapline.steadyFooting(in: bench.scene)
            try Files.replace(bench.path, with: debug)
            try await tapline.program.errors.line(containing: "was touched, its contents are unchanged")
            try Files.replace(bench.path, with: "# a comment\n" + debug)
            try await tapline.program.errors.line(containing: "configuration unchanged")
            try await tapline.program.send(SIGHUP)
            _ = try await tapline.program.errors.first(2) { $0.contains("configuration unchanged") }
            try await bench.converse(bench.first)
            #expect(try await tapline.stop().map(\.generation) == [1])
            #expect(!tapline.program.errors.all.contains { $0.contains("\"message\":\"reloaded") })
        }
    }

    @Test(.needs("python3"), .needsUserNamespace)
    func withoutAWatch_theFileIsCompared_andThatIsSaidOnce() async throws {
        try await reloadScene(.waiting) { bench in
            try Files.write(bench.start, to: bench.path)
            // No inotify instance is left for the user of this namespace.
            let script = "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$@\""
            let tapline = try await bench.run(
                before: ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"])
            try await tapline.program.errors.line(containing: "the configuration is checked every 2 s")
            for generation in 2...3 {
                try Files.replace(bench.path, with: generation == 2 ? bench.added : bench.start)
                try await bench.reloaded(tapline, generation)
            }
            try await tapline.stop()
            #expect(tapline.program.errors.all.count { $0.contains("is checked every 2 s") } == 1)
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips a test that needs its own limits.
    fileprivate static var needsUserNamespace: Self {
        .enabled("needs a user namespace whose limits can be set") {
            let script = "echo 0 > /proc/sys/user/max_inotify_instances"
            return
                (try? await scene(.light) { scene in
                    try await scene.run("unshare", "--user", "--map-root-user", "sh", "-c", script)
                }) != nil
        }
    }
}
