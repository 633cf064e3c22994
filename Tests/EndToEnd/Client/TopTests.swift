import Foundation
import Testing

/// `tapline top` on a terminal, which tmux provides.
@Suite(.needs("python3", "curl", "tmux"))
struct TopTests {
    private func play(
        columns: Int = 80, rows: Int = 24, _ body: (CommandBench, Terminal) async throws -> Void
    ) async throws {
        try await CommandBench.play { bench in
            let terminal = try await bench.scene.terminal(
                columns: columns, rows: rows, variables: ["TAPLINE_ADMIN": bench.admin, "LC_ALL": "C.UTF-8"])
            try await terminal.type("echo be''fore", "Enter")
            try await terminal.await("the shell") { $0.contains("before") }
            try await terminal.type(
                "\(TaplineProcess.binary) top; echo ended $?; stty -a | grep -o ' -*icanon'", "Enter")
            try await terminal.await("top") {
                $0.last?.hasPrefix("q quit") == true && $0.contains { $0.contains("UP/S") }
            }
            try await body(bench, terminal)
        }
    }

    /// The shell's screen has been restored, with its lines, its modes and its cursor.
    private func expectRestored(_ terminal: Terminal, status: Int) async throws {
        let lines = try await terminal.await("the shell again") { $0.contains(" icanon") || $0.contains(" -icanon") }
        #expect(lines.contains("before") && lines.contains("ended \(status)") && lines.contains(" icanon"))
        #expect(!lines.contains { $0.contains("UP/S") })
        #expect(try await terminal.showsCursor())
    }

    @Test(arguments: ["q", "C-c"]) func key_thatEnds_restoresTheTerminal(key: String) async throws {
        try await play { _, terminal in
            #expect(try await !terminal.showsCursor())
            try await terminal.type(key)
            try await expectRestored(terminal, status: 0)
        }
    }

    @Test(arguments: ["TERM", "INT", "HUP", "QUIT"]) func signal_restoresTheTerminal(signal: String) async throws {
        try await play { bench, terminal in
            let pid = try await terminal.child(of: bench.scene)
            try await bench.scene.run("kill", "-\(signal)", pid)
            try await expectRestored(terminal, status: 0)
        }
    }

    @Test func taplineGone_isReported_andTopContinues() async throws {
        try await play { bench, terminal in
            try await bench.tapline.program.send(SIGKILL)
            try await terminal.await("what has happened") { $0.last?.contains("nothing listens at") == true }
            try await terminal.type("q")
            try await expectRestored(terminal, status: 0)
        }
    }

    /// Traffic that was over when `top` started.
    @Test func graphs_showTheTrafficFromBeforeTheStart() async throws {
        try await CommandBench.play { bench in
            _ = try await bench.puppet.send("client", count: 300_000)
            try await bench.puppet.receive("server", count: 300_000)
            let admin = AdminClient(scene: bench.scene, address: bench.admin)
            try await admin.await("a sample", "/v1/history") { answer -> Bool? in
                let rates = try answer.json["total"]?["rate_up"]?.list ?? []
                return rates.contains { $0 != .number(0) } ? true : nil
            }
            try await admin.await("the pause", "/v1/relays") { answer -> Bool? in
                try answer.json["relays"]?.list.first?["rate_up"] == .number(0) ? true : nil
            }
            let terminal = try await bench.scene.terminal(
                columns: 160, rows: 24, variables: ["TAPLINE_ADMIN": bench.admin, "LC_ALL": "C.UTF-8"])
            try await terminal.type("\(TaplineProcess.binary) top", "Enter")
            try await terminal.await("the graph") { $0.contains { $0.firstMatch(of: /^up +- .*█/) != nil } }
        }
    }

    @Test func kill_asksAndKills() async throws {
        try await play { bench, terminal in
            try await terminal.await("the connection") { $0.contains { $0.hasPrefix(">    1 ") } }
            try await terminal.type("x")
            try await terminal.await("the question") { $0.last?.hasPrefix("reset connection 1 of 127.0.0.1:") == true }
            try await terminal.type("y")
            #expect(try await bench.puppet.receiveToEnd("client").end == "reset")
            #expect(try await bench.tapline.records()[0].reason == "killed")
            try await terminal.await("an empty list") { $0.contains { $0.contains("no open connections") } }
        }
    }

    @Test func story_filterAndHelp_areShown() async throws {
        try await play { _, terminal in
            try await terminal.type("Enter")
            try await terminal.await("the story") { $0.contains("connection 1 of web, open") }
            try await terminal.type("Escape")
            try await terminal.await("the table") { $0.last?.hasPrefix("q quit") == true }
            try await terminal.type("/", "n", "o")
            try await terminal.await("the filter") {
                $0.last == "filter: no_" && $0.contains { $0.contains("0 of 1 match") }
            }
            // By itself, because a key that is read together with an escape is part of a sequence.
            try await terminal.type("Escape")
            try await terminal.await("no filter") { $0.last?.hasPrefix("q quit") == true }
            try await terminal.type("?")
            try await terminal.await("the help") { $0.contains { $0.contains("next sort key: ") } }
        }
    }

    @Test func transfer_isSeen() async throws {
        try await play(columns: 120, rows: 40) { bench, terminal in
            _ = try await bench.puppet.send("client", count: 700_000)
            try await bench.puppet.receive("server", count: 700_000)
            try await terminal.await("its bytes") { $0.contains { $0.contains("684 KiB") } }
        }
    }

    @Test(arguments: [(60, 20), (120, 40), (200, 50), (40, 10)])
    func resize_fillsTheNewSize(size: (Int, Int)) async throws {
        try await play { _, terminal in
            try await terminal.resize(columns: size.0, rows: size.1)
            try await terminal.await("the new size") {
                $0.count == size.1 && $0.last?.hasPrefix("q quit") == true && $0[0].hasPrefix("tapline ")
                    && $0.contains { $0.contains("DOWN/S") }
            }
        }
    }

    @Test func suspend_givesTheTerminalBack_forAWhile() async throws {
        try await play { _, terminal in
            try await terminal.type("C-z")
            try await terminal.await("the shell") {
                $0.contains { $0.contains("Stopped") } && $0.contains("before") && $0.contains(" icanon")
            }
            // The shell continued with its next command, in its own terminal mode.
            try await terminal.type("fg; echo ended $?", "Enter")
            try await terminal.await("top again") { $0.last?.hasPrefix("q quit") == true }
            try await terminal.type("q")
            try await terminal.await("the shell again") { $0.contains("ended 0") && $0.contains("before") }
        }
    }
}
