import Foundation
import TestSupport
import Testing

/// Addresses that move between the admin API and relays in one reload.
struct AddressMoveTests {
    /// A Tapline whose admin API and relays exchange addresses.
    private struct Bench {
        let reload: ReloadBench
        let tapline: TaplineProcess
        var generation = 1

        static func text(_ bench: ReloadBench, admin: String?, relays: [String]) -> String {
            let named = relays.enumerated().map { ("relay\($0.offset)", $0.element) }
            return bench.text(named, more: admin.map { "admin: { listen: '\($0)' }" } ?? "")
        }

        /// One reload, after which the API and the relays answer at their new addresses.
        mutating func move(admin: String?, relays: [String], asked: String? = nil) async throws {
            generation += 1
            try Files.replace(reload.path, with: Self.text(reload, admin: admin, relays: relays))
            try await reload.reloaded(tapline, generation)
            try await expect(admin: asked ?? admin, relays: relays.map { $0.replacing("*:", with: "127.0.0.1:") })
        }

        /// A reload that is rejected.
        func rejected(admin: String, relays: [String], because reason: String) async throws {
            try Files.replace(reload.path, with: Self.text(reload, admin: admin, relays: relays))
            let line = try await tapline.program.errors.line(containing: "reload rejected")
            #expect(line.contains(reason))
        }

        func expect(admin: String?, relays: [String]) async throws {
            for relay in relays { try await reload.converse(relay) }
            guard let admin else { return }
            let client = AdminClient(scene: reload.scene, address: admin)
            #expect(try await client.ask("/v1/status").json["generation"]?.number == generation)
        }
    }

    private func run(
        admin: String, relays: [String], _ bench: ReloadBench, _ body: (inout Bench) async throws -> Void
    ) async throws {
        try Files.write(Bench.text(bench, admin: admin, relays: relays), to: bench.path)
        let tapline = try await bench.run(relays.count)
        _ = try await tapline.program.errors.line(containing: "the admin API answers on ")
        var moves = Bench(reload: bench, tapline: tapline)
        try await body(&moves)
        let records = try await tapline.stop()
        #expect(records.allSatisfy { $0.reason == "client_closed" })
    }

    @Test(.needs("python3", "curl")) func ports_moveBetweenTheAPIAndRelays_andEverythingContinues() async throws {
        try await reloadScene { bench in
            let third = bench.first.replacingOccurrences(of: "127.0.77.1", with: "127.0.77.3")
            try await run(admin: bench.first, relays: [bench.second], bench) { bench in
                let (first, second) = (bench.reload.first, bench.reload.second)
                try await bench.expect(admin: first, relays: [second])
                try await bench.reload.begin(second, "held")
                let client = AdminClient(scene: bench.reload.scene, address: first)
                let events = try bench.reload.scene.start(["curl", "-sN"] + client.target("/v1/events"))
                try await events.output.line(containing: "event: counters")

                // Both swap; then the relay takes the API's address, the API takes a relay's, and the API is removed.
                try await bench.move(admin: second, relays: [first])
                let moved = AdminClient(scene: bench.reload.scene, address: second)
                let generations = try await moved.await("both ends", "/v1/closed") { answer in
                    let closed = try answer.json["closed"]?.list ?? []
                    return closed.count == 2 ? closed.compactMap { $0["generation"]?.number } : nil
                }
                // Two workers may have had them, and report their ends in any order.
                #expect(generations.sorted() == [1, 2])
                try await events.output.line(containing: "\"result\":\"applied\",\"generation\":2")
                try await bench.move(admin: third, relays: [first, second])
                try await bench.move(admin: first, relays: [third, second])
                try await events.output.line(containing: "\"result\":\"applied\",\"generation\":4")
                try await bench.move(admin: nil, relays: [third, first])
                try await bench.move(admin: third, relays: [second, first])

                // The second relay's address is in use: the API stays, and so do the relays.
                let rival = try await bench.reload.puppet.listen("rival", "127.0.77.4:0")
                try await bench.rejected(admin: second, relays: [third, rival], because: "listen on \(rival)")
                try await bench.expect(admin: third, relays: [second, first])
                try await bench.reload.exchange("held")
                try await bench.reload.end("held")
            }
        }
    }

    /// `*:PORT` and a loopback address with the same port cannot both be bound in the ordinary way.
    @Test(.needs("python3", "curl")) func everyInterfaceAndLoopback_changePlaces() async throws {
        try await reloadScene { bench in
            let one = try await bench.puppet.listen("one", "0.0.0.0:0").split(separator: ":").last ?? ""
            let two = try await bench.puppet.listen("two", "0.0.0.0:0").split(separator: ":").last ?? ""
            for name in ["one", "two"] { try await bench.puppet.close(name) }
            try Files.write(Bench.text(bench, admin: "127.0.0.1:\(two)", relays: ["*:\(one)"]), to: bench.path)
            let tapline = try await bench.run()
            var moves = Bench(reload: bench, tapline: tapline)
            for _ in 0..<2 {
                try await moves.move(admin: "127.0.0.1:\(one)", relays: ["*:\(two)"])
                try await moves.move(admin: "127.0.0.1:\(two)", relays: ["*:\(one)"])
            }
            try await moves.move(admin: "127.0.0.1:\(one)", relays: ["127.0.0.1:\(two)"])
            try await tapline.stop()
        }
    }

    @Test(.needs("python3", "curl")) func unixPaths_changePlaces_andARejectionRestoresThem() async throws {
        try await reloadScene { bench in
            let folder = bench.scene.path("sockets")
            try Files.makeDirectory(folder)
            let (one, two) = ("unix:\(folder)/one.sock", "unix:\(folder)/two.sock")
            func modes() throws -> [String: Int] {
                try FileManager.default.contentsOfDirectory(atPath: folder).reduce(into: [:]) { modes, name in
                    let facts = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")
                    modes[name] = (facts[.posixPermissions] as? NSNumber)?.intValue
                }
            }
            try await run(admin: one, relays: [two], bench) { bench in
                let before = ["one.sock": 0o600, "two.sock": 0o660]
                #expect(try modes() == before)
                let rival = try await bench.reload.puppet.listen("rival", "127.0.77.4:0")
                try await bench.rejected(admin: two, relays: [one, rival], because: "listen on \(rival)")
                #expect(try modes() == before)
                try await bench.expect(admin: one, relays: [two])

                try await bench.move(admin: two, relays: [one])
                #expect(try modes() == ["one.sock": 0o660, "two.sock": 0o600])
                try await bench.move(admin: one, relays: [two])
                #expect(try modes() == before)
                try await bench.move(admin: bench.reload.first, relays: [one, two])
                #expect(try modes() == ["one.sock": 0o660, "two.sock": 0o660])
            }
            #expect(try modes() == [:])
        }
    }

    /// A start that fails after relays have bound their addresses leaves no socket file of a relay or the API.
    @Test(.needs("python3")) func startThatFails_leavesNothingBehind() async throws {
        try await reloadScene { bench in
            let folder = bench.scene.path("sockets")
            try Files.makeDirectory(folder)
            let rival = try await bench.puppet.listen("rival", "127.0.77.4:0")
            let configurations = [
                (admin: rival, relays: ["unix:\(folder)/one.sock"]),
                (admin: "unix:\(folder)/one.sock", relays: ["unix:\(folder)/two.sock", rival]),
            ]
            for configuration in configurations {
                try Files.write(
                    Bench.text(bench, admin: configuration.admin, relays: configuration.relays), to: bench.path)
                let program = try bench.scene.start([TaplineProcess.binary, "run", "--config", bench.path])
                #expect(try await program.exit() == .exited(71))
                #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
            }
            // And no recording.
            let file = bench.scene.path("new.pcapng")
            let program = try bench.scene.start([
                TaplineProcess.binary, "forward", "--record", file, "--admin", rival, "0:\(bench.upstream)",
            ])
            #expect(try await program.exit() == .exited(71))
            #expect(!FileManager.default.fileExists(atPath: file))
        }
    }
}
