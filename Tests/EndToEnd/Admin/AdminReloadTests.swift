import Foundation
import TestSupport
import Testing

/// Reloads through the API, and reloads that change the API.
struct AdminReloadTests {
    @Test(.needs("python3", "curl")) func reload_answersWithTheDifference_orEveryMistake() async throws {
        try await reloadScene { bench in
            let admin = "admin: { listen: 127.0.0.1:0 }\n"
            try Files.write(bench.text([("web", bench.first)], more: admin), to: bench.path)
            let tapline = try await bench.run()
            let client = try await bench.scene.admin(of: tapline)
            let events = try bench.scene.start(["curl", "-sN"] + client.target("/v1/events"))
            try await events.output.line(containing: "event: counters")

            let same = try await client.ask("POST", "/v1/reload")
            #expect(same.status == 200)
            #expect(try same.json["result"]?.text == "unchanged" && same.json["generation"]?.number == 1)

            try Files.replace(
                bench.path,
                with: bench.text([("web", bench.first)], more: admin + "wrokers: 2\nshutdown: { drain: 5 }\n"))
            let refused = try await client.ask("POST", "/v1/reload")
            #expect(refused.status == 422 && refused.code == "rejected")
            let problems = try refused.json["error"]?["problems"]?.list ?? []
            #expect(problems.count == 2)
            #expect(problems.first?["line"]?.number == 3 && problems.first?["column"]?.number == 1)
            #expect(refused.body.contains("\(bench.path):3:1: unknown key `wrokers`"))

            try Files.replace(
                bench.path, with: bench.text([("web", bench.first), ("cache", bench.second)], more: admin))
            // The file watch may have reloaded first.
            _ = try await client.ask("POST", "/v1/reload")
            let status = try await client.await("generation 2", "/v1/status") { answer in
                try answer.json["generation"]?.number == 2 ? answer.json : nil
            }
            #expect(status["reloads"]?["rejected"]?.number ?? 0 >= 1)
            #expect(try await client.ask("/v1/relays").json["relays"]?.list.count == 2)
            try await events.output.line(containing: "\"result\":\"applied\",\"generation\":2")
            try await events.output.line(containing: "\"added\":[\"cache\"]")
            try await bench.converse(bench.second)

            // A removed relay keeps its counters.
            try Files.replace(bench.path, with: bench.text([("web", bench.first)], more: admin))
            _ = try await client.ask("POST", "/v1/reload")
            let relays = try await client.await("the relay that is gone", "/v1/relays") { answer in
                try answer.json["relays"]?.list.first { $0["configured"] == .flag(false) }
            }
            #expect(relays["name"]?.text == "cache" && relays["accepted"]?.number ?? 0 >= 1)
            let metrics = try await client.ask("/metrics").body
            #expect(metrics.contains("tapline_connections_open{relay=\"cache\"}"))
            #expect(metrics.contains("tapline_config_generation 3"))
            try await tapline.stop()
        }
    }

    @Test(.needs("python3", "curl")) func server_startsMovesAndStops_byReload() async throws {
        try await reloadScene { bench in
            func text(_ admin: String) -> String { bench.text([("web", bench.first)], more: admin) }
            let (one, other) = (bench.scene.path("one.sock"), bench.scene.path("other.sock"))
            try Files.write(text(""), to: bench.path)
            let tapline = try await bench.run()
            try await bench.begin(bench.first, "held")
            try Files.replace(bench.path, with: text("admin: { listen: 'unix:\(one)' }"))
            try await bench.reloaded(tapline, 2)
            let first = AdminClient(scene: bench.scene, address: "unix:\(one)")
            #expect(try await first.ask("/v1/status").json["generation"]?.number == 2)

            try Files.replace(bench.path, with: text("admin: { listen: 'unix:\(other)' }"))
            try await bench.reloaded(tapline, 3)
            let second = AdminClient(scene: bench.scene, address: "unix:\(other)")
            #expect(try await second.ask("/v1/connections").json["total"]?.number == 1)
            #expect(!FileManager.default.fileExists(atPath: one))

            // An address in use: the reload is refused, and the current server stays.
            let rival = try await bench.puppet.listen("rival", "127.0.77.3:0")
            try Files.replace(bench.path, with: text("admin: { listen: '\(rival)', hosts: [] }"))
            let refusal = try await tapline.program.errors.line(containing: "reload rejected")
            #expect(refusal.contains("\(bench.path):2:18: cannot listen on \(rival) for the admin API: "))
            #expect(try await second.ask("/v1/status").json["generation"]?.number == 3)

            try Files.replace(bench.path, with: text("admin: { listen: 'unix:\(other)', token_file: missing }"))
            try await tapline.program.errors.line(containing: "cannot take the admin API's token from")
            #expect(try await second.ask("/v1/status").status == 200)

            try Files.replace(bench.path, with: text(""))
            try await bench.reloaded(tapline, 4)
            #expect(!FileManager.default.fileExists(atPath: other))
            try await bench.exchange("held")
            try await bench.end("held")
            try await tapline.stop()
        }
    }
}
