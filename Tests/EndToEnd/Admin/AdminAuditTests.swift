import Foundation
import Testing

/// Every change made through the admin API is in the log, with its requester.
struct AdminAuditTests {
    private struct Line: Decodable {
        var level: String
        var message: String
        var requester: String?
        var file: String?
        var connection: Int?
        var relay: String?
    }

    private static let messages = [
        "connection 1 killed through the admin API", "recording of web started through the admin API",
        "recording of web stopped through the admin API", "reload requested through the admin API",
        "traffic is being read through the admin API", "drain requested through the admin API",
        "shutdown requested through the admin API",
    ]

    @Test(.needs("python3", "curl"), arguments: ["127.0.0.1:0", "unix"])
    func change_isLoggedWithItsRequester(listen: String) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let address = listen == "unix" ? "unix:\(scene.path("admin.sock"))" : listen
            let tapline = try await scene.run(
                relays: "  - { name: web, listen: 127.0.0.1:0, upstream: \"\(upstream)\" }",
                more: "admin: { listen: \"\(address)\" }\nshutdown: { drain: 10m }")
            let admin = try await scene.admin(of: tapline)
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            #expect(try await admin.ask("DELETE", "/v1/connections/1").status == 200)
            let started = try await admin.ask("POST", "/v1/relays/web/recording")
            #expect(started.status == 200)
            #expect(try await admin.ask("DELETE", "/v1/relays/web/recording").status == 200)
            #expect(try await admin.ask("POST", "/v1/reload").status == 200)
            // A refused request changes nothing, and is not logged.
            #expect(try await admin.ask("DELETE", "/v1/connections/1").status == 404)
            let reader = try scene.start(["curl", "-sN", "-o", "/dev/null"] + admin.target("/v1/tap?relay=web"))
            try await tapline.program.errors.line(containing: "traffic is being read")
            try await puppet.connect("last", to: tapline.address)
            try await puppet.accept("last server", from: "upstream")
            #expect(try await admin.ask("POST", "/v1/drain").status == 202)
            try await tapline.program.errors.line(containing: "drain requested")
            #expect(try await admin.ask("POST", "/v1/shutdown").status == 202)
            #expect(try await tapline.program.exit() == .exited(0))
            #expect(try tapline.recordsSoFar.sorted { $0.id < $1.id }.map(\.reason) == ["killed", "drained"])
            _ = try await reader.exit()
            let lines = try tapline.program.errors.all.map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
            let changes = lines.filter { $0.message.contains("through the admin API") }
            #expect(changes.map(\.message) == Self.messages)
            #expect(changes.allSatisfy { $0.level == "notice" })
            let user = "user \(getuid())"
            let isNamed = changes.allSatisfy { change in
                guard let requester = change.requester else { return false }
                guard listen == "unix" else { return requester.hasPrefix("127.0.0.1:") }
                return requester.hasPrefix("process ") && requester.hasSuffix(", \(user)")
            }
            #expect(isNamed, "\(changes)")
            let file = try started.json["file"]?.text
            #expect(file != nil && changes[1].file == file)
            #expect(changes[0].connection == 1)
            #expect(changes[1].relay == "web" && changes[4].relay == "web")
        }
    }
}
