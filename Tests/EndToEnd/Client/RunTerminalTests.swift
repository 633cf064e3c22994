import Foundation
import Testing

/// `tapline run` on a terminal, which tmux provides.
@Suite(.needs("python3", "tmux"))
struct RunTerminalTests {
    private static let variables = ["LC_ALL": "C.UTF-8", "TZ": "UTC", "PS1": "$ "]

    /// Runs a configuration in a shell, passes one connection, and checks the screen once it shows the end of that.
    private func run(
        format: String, _ redirection: String = "", _ check: @escaping @Sendable ([String]) -> Void
    ) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let port = try scene.freePort()
            let file = try scene.file(
                "tapline.yaml",
                """
                log: { format: \(format) }
                relays:
                  - { name: a-relay-with-a-long-name, listen: 127.0.0.1:\(port), upstream: "\(upstream)" }
                """)
            let terminal = try await scene.terminal(columns: 80, rows: 40, variables: Self.variables)
            try await terminal.type("clear; \(TaplineProcess.binary) run \(file) \(redirection)", "Enter")
            try await terminal.await("the start") { $0.joined().contains("listens") }
            try await puppet.connect("client", to: "127.0.0.1:\(port)")
            try await puppet.accept("server", from: "upstream")
            try await puppet.close("server")
            _ = try await puppet.receiveToEnd("client")
            try await puppet.close("client")
            let lines = try await terminal.await("the end") { $0.joined().contains("tls_fault") }
            try await terminal.type("C-c")
            check(lines.filter { !$0.isEmpty && !$0.hasPrefix("$") })
        }
    }

    /// No word is broken, and the further rows of a line are indented. A row that the terminal had broken would be full.
    @Test func linesOfTheLog_areBrokenBetweenWords() async throws {
        try await run(format: "text") { lines in
            let text = lines.joined(separator: "\n")
            #expect(lines.allSatisfy { $0.count <= 80 }, "\(text)")
            for row in lines {
                #expect(row.hasPrefix("    ") || row.wholeMatch(of: /(time=)?\d{4}-\d\d-\d\dT.*/) != nil, "\(row)")
            }
            #expect(lines.contains { $0.hasPrefix("    ") && $0.contains("reason=upstream_closed") }, "\(text)")
            #expect(text.replacing("\n   ", with: "").contains("a-relay-with-a-long-name listens on 127"), "\(text)")
        }
    }

    @Test func linesOfJSON_areNotBroken() async throws {
        // Standard error is a terminal, and so is standard output.
        try await run(format: "json") { lines in
            #expect(lines.contains { $0.count == 80 && $0.hasPrefix("{\"time\":") }, "\(lines)")
            #expect(!lines.contains { $0.hasPrefix("    ") })
        }
    }

    @Test func outputThatIsNoTerminal_isNotBroken() async throws {
        try await run(format: "text", "2>&1 | cat") { lines in
            #expect(lines.contains { $0.count == 80 && $0.hasPrefix("time=") }, "\(lines)")
        }
    }
}
