import Foundation
import Glibc
import TestSupport
import Testing

/// Unix sockets by an abstract name (unix(7)): `unix:@name`.
@Suite(.needs("python3", "curl"))
struct AbstractSocketTests {
    /// A name that no other run has.
    private func name(_ what: String) -> String { "unix:@tapline-e2e-\(what)-\(UUID().uuidString)" }

    /// Whether a socket has the name. A client's socket has it, too.
    private func isBound(_ address: String) throws -> Bool {
        let table = try String(contentsOfFile: "/proc/net/unix", encoding: .utf8)
        return table.split(separator: "\n").contains {
            $0.hasSuffix(" " + address.dropFirst("unix:".count)) && $0.contains(" 00010000 ")
        }
    }

    /// With files of the sockets' names in the working directory, which must not change.
    @Test func listener_upstream_andAdmin_useNoFile() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let (front, back, admin) = (name("front"), name("back"), name("admin"))
            let folder = scene.path("folder")
            try Files.makeDirectory(folder)
            let files = [front, back, admin].map { "\(folder)/\($0.dropFirst("unix:".count))" }
            for file in files {
                try Files.write("precious", to: file)
                try #require(chmod(file, 0o600) == 0)
            }
            _ = try await puppet.listen("upstream", back)
            let before = ["env", "-C", folder]
            let tapline = try await scene.forward("\(front)=\(back)", options: ["--admin", admin], before: before)
            #expect(tapline.address == front)
            try await puppet.connect("client", to: front)
            try await puppet.accept("server", from: "upstream")
            try await puppet.send("client", "hello")
            #expect(try await puppet.receive("server", count: 5).text == "hello")
            // A client of the API, and another relay with the same name.
            let status = try await scene.run(
                before + [TaplineProcess.binary, "status", "--json", "--admin", admin])
            #expect(status.contains("\"version\""), "\(status)")
            let second = try scene.start(
                before + [TaplineProcess.binary, "forward", "\(front)=\(back)"])
            #expect(try await second.exit() == .exited(71))
            #expect(
                second.errors.all.contains {
                    $0.contains("listen on \(front) for relay") && $0.contains("`ss -xlp` shows which")
                }, "\(second.errors.all)")
            let wrong = try scene.start([TaplineProcess.binary, "status", "--admin", name("nothing")])
            #expect(try await wrong.exit() == .exited(71))
            #expect(wrong.errors.all.contains { $0.contains("unix:@tapline-e2e-nothing") }, "\(wrong.errors.all)")

            try await puppet.close("client")
            let records = try await tapline.stop()
            #expect(records.count == 1)
            #expect(records[0].client == "unix:" && records[0].listener == front)
            #expect(records[0].upstream == back && records[0].upstreamAddress == back)
            #expect(try !isBound(front) && !isBound(admin))
            for file in files {
                #expect(Files.read(file) == "precious")
                var facts = stat()
                try #require(stat(file, &facts) == 0)
                #expect(facts.st_mode & 0o777 == 0o600)
            }
        }
    }

    @Test func listener_isKept_movedAndHandedOver() async throws {
        try await reloadScene { bench in
            let (front, other) = (name("front"), name("other"))
            // The connection of the removed relay stays open throughout.
            let drain = "shutdown: { drain: 10m }"
            try Files.write(bench.text([("web", front)], more: drain), to: bench.path)
            try await bench.lineage { lineage in
                try await bench.begin(front, "before")
                // It moves to another relay; then it is removed, and added again.
                for (generation, relays) in [
                    (2, [("new", front), ("more", other)]), (3, [("more", other)]), (4, [("web", front)]),
                ] {
                    try Files.replace(bench.path, with: bench.text(relays, more: drain))
                    try await bench.reloaded(lineage.first, generation)
                    // Workers close removed listeners in their next turn.
                    try await bench.scene.eventually("generation \(generation)") {
                        try isBound(front) == (generation != 3) && isBound(other) == (generation != 4)
                    }
                }
                try await lineage.upgrade()
                try await bench.converse(front)
                try await bench.end("before")
                try lineage.send(SIGTERM)
                #expect(try await lineage.finish(bench.scene) == "status 0")
                #expect(try !isBound(front))
            }
        }
    }

    @Test func loop_isFound() async throws {
        try await scene { scene in
            let front = name("front")
            let path = try scene.file(
                "t.yaml", "relays:\n  - { name: a, listen: '\(front)', upstream: '\(front)' }\n")
            let check = try scene.start([TaplineProcess.binary, "check", path])
            #expect(try await check.exit() == .exited(78))
            #expect((check.output.all + check.errors.all).contains { $0.contains("is a loop") })
        }
    }
}
