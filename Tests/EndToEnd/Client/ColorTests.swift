import Foundation
import Testing

/// Colours of `show`, `connections` and `why`: on terminals, or where the environment asks for them.
@Suite(.needs("python3"))
struct ColorTests {
    /// The commands about a refused connection, and what each one shows in red.
    private static func commands(_ folder: String) -> [(words: String, red: String)] {
        [
            ("show \(folder)", "\u{1B}[31mconnect_refused\u{1B}["),
            ("show \(folder) --format text", "\u{1B}[31m2"),
            ("connections --closed", "\u{1B}[31mconnect_refused (ECONNREFUSED)\u{1B}["),
            ("why 1", "\u{1B}[31"),
            ("why \(folder) 1", "\u{1B}[31"),
        ]
    }

    /// A Tapline that has recorded a refused connection.
    private func play(_ body: (_ scene: Scene, _ admin: String, _ folder: String) async throws -> Void) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let folder = scene.path("recordings")
            let tapline = try await scene.run(
                relays: """
                      - name: web
                        listen: 127.0.0.1:0
                        upstream: 127.0.0.1:\(try scene.freePort())
                        record: { directory: \(folder) }
                    """, more: "admin: { listen: 127.0.0.1:0 }")
            try await puppet.connect("client", to: tapline.address)
            _ = try await tapline.records()
            try await scene.eventually("the recording has the end") {
                let show = try scene.start([TaplineProcess.binary, "show", folder])
                _ = try await show.exit()
                return show.output.all.contains { $0.contains("connect_refused") }
            }
            try await body(scene, try await scene.admin(of: tapline).address, folder)
        }
    }

    @Test(
        arguments: [
            ([:], false), (["FORCE_COLOR": "1"], true), (["FORCE_COLOR": "1", "NO_COLOR": "1"], false),
            (["FORCE_COLOR": "0"], false), (["CLICOLOR_FORCE": "1"], true),
        ] as [([String: String], Bool)])
    func pipe_hasColours_onlyIfTheEnvironmentForcesThem(variables: [String: String], isColored: Bool) async throws {
        try await play { scene, admin, folder in
            for (words, red) in Self.commands(folder) {
                let program = try scene.start(
                    [TaplineProcess.binary] + words.split(separator: " ").map(String.init),
                    variables: variables.merging(["TAPLINE_ADMIN": admin]) { $1 })
                program.finishInput()
                #expect(try await program.exit() == .exited(0))
                let text = program.output.all.joined(separator: "\n")
                #expect(text.contains(red) == isColored, "\(words): \(text)")
                #expect(text.contains("\u{1B}") == isColored, "\(words): \(text)")
            }
        }
    }

    @Test(.needs("tmux"), arguments: [true, false])
    func terminal_hasColours_unlessNO_COLOR(isColored: Bool) async throws {
        try await play { scene, admin, folder in
            let variables = ["TAPLINE_ADMIN": admin, "LC_ALL": "C.UTF-8", "PS1": "$ "]
            let terminal = try await scene.terminal(
                columns: 160, rows: 30, variables: isColored ? variables : variables.merging(["NO_COLOR": "1"]) { $1 })
            for (index, words) in Self.commands(folder).map(\.words).enumerated() {
                try await terminal.type("clear; \(TaplineProcess.binary) \(words); echo done \(index)", "Enter")
                try await terminal.await("the output of \(words)") { $0.contains("done \(index)") }
                let text = try await terminal.screenWithStyles()
                #expect(text.contains(/\u{1B}\[[\d;]*31m/) == isColored, "\(words): \(text)")
            }
        }
    }
}
