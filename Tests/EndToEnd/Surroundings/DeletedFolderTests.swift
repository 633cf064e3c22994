import Foundation
import TestSupport
import Testing

/// The working directory was deleted, as often happens to temporary folders and old releases. It is needed for relative
/// paths only.
@Suite(.needs("python3", "curl"))
struct DeletedFolderTests {
    /// The words that start a program in a deleted folder.
    private func gone(_ scene: Scene) -> [String] {
        let folder = scene.path("gone-\(UUID().uuidString)")
        return ["sh", "-c", "mkdir \(folder) && cd \(folder) && rmdir \(folder) && exec \"$0\" \"$@\""]
    }

    @Test func forward_relays_andRecordsToAWholePath() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(upstream)", options: ["--record", scene.path("a.pcapng"), "--admin", "127.0.0.1:0"],
                before: gone(scene))
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            try await puppet.send("client", "hello")
            #expect(try await puppet.receive("server", count: 5).count == 5)
            try await puppet.close("client")
            #expect(try await tapline.stop().count == 1)
            #expect(try Files.bytes(of: scene.path("a.pcapng")).count > 500)
        }
    }

    @Test func relativePaths_areErrors_thatSayWhy() async throws {
        try await scene { scene in
            let words: [([String], CInt, String)] = [
                (
                    ["forward", "8080:localhost:80", "--record", "a.pcapng"], 64,
                    "the working directory no longer exists"
                ),
                (["forward", "8080:localhost:80", "--record", "a/"], 64, "the working directory no longer exists"),
                (["forward", "unix:a.sock=localhost:80"], 64, "the working directory no longer exists"),
                (["forward", "8080=unix:a.sock"], 64, "the working directory no longer exists"),
                (
                    ["forward", "8080:localhost:80", "--admin", "unix:a.sock"], 64,
                    "the working directory no longer exists"
                ),
                (["run", "--config", "t.yaml"], 78, "the working directory no longer exists"),
                (["check", "t.yaml"], 78, "the working directory no longer exists"),
                (["status", "--admin", "unix:a.sock"], 64, "the working directory no longer exists"),
            ]
            for (words, status, message) in words {
                let program = try scene.start(gone(scene) + [TaplineProcess.binary] + words)
                #expect(try await program.exit() == .exited(status), "\(words)")
                #expect(program.errors.all.contains { $0.contains(message) }, "\(words): \(program.errors.all)")
            }
        }
    }

    @Test func run_reloads_upgrades_andIsChecked_byWholePaths() async throws {
        try await reloadScene { bench in
            try Files.write(bench.start, to: bench.path)
            try await bench.lineage(before: gone(bench.scene)) { lineage in
                try Files.replace(bench.path, with: bench.added)
                _ = try await lineage.errors.line(containing: "reloaded: ")
                try await lineage.upgrade()
                try await bench.converse(bench.second)
                try lineage.send(SIGTERM)
                #expect(try await lineage.finish(bench.scene) == "status 0")
            }
            let check = try bench.scene.start(gone(bench.scene) + [TaplineProcess.binary, "check", bench.path])
            #expect(try await check.exit() == .exited(0))
        }
    }

    /// No folder for recordings is configured, and the root folder is not a default.
    @Test func recordingByTheAPI_withoutAFolder_isRefused() async throws {
        try await scene { scene in
            let tapline = try await scene.forward(
                "127.0.0.1:0:127.0.0.1:1", options: ["--admin", "127.0.0.1:0"], before: gone(scene))
            let admin = try await scene.admin(of: tapline)
            let name = try #require(try await admin.ask("/v1/relays").json["relays"]?.list.first?["name"]?.text)
            let answer = try await admin.ask("POST", "/v1/relays/\(name)/recording")
            #expect(answer.status == 409 && answer.code == "refused", "\(answer)")
            #expect(answer.body.contains("working directory no longer exists"))
        }
    }
}
