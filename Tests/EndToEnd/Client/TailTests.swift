import Foundation
import Testing

/// Live traffic.
@Suite(.needs("python3", "curl"))
struct TailTests {
    /// Starts `tail`, and sends traffic once it follows: earlier traffic is not shown.
    private func follow(_ bench: CommandBench, _ words: [String]) async throws -> Program {
        let program = try bench.start(["tail"] + words)
        // The API lists a tapped connection as such once it is followed.
        try await AdminClient(scene: bench.scene, address: bench.admin)
            .await("a tap", "/v1/connections") { answer -> Bool? in
                try answer.json["connections"]?.list.first?["recording"] == .flag(true) ? true : nil
            }
        return program
    }

    private func converse(_ bench: CommandBench) async throws {
        try await bench.puppet.send("client", "hello \u{1B}[2J there\n")
        try await bench.puppet.receive("server", count: 17)
        try await bench.puppet.send("server", "answer\n")
        try await bench.puppet.receive("client", count: 7)
    }

    @Test func text_isHarmless_andCtrlCEndsIt() async throws {
        try await CommandBench.play { bench in
            let program = try await follow(bench, [])
            try await converse(bench)
            try await program.output.line(containing: "answer")
            #expect(program.output.all.contains { $0.contains("hello \\x1b[2J there") })
            try await program.send(SIGINT)
            #expect(try await program.exit() == .exited(0))
            #expect(program.errors.all.isEmpty)
        }
    }

    /// On a terminal: what is followed, then the connection with its traffic and its end.
    @Test(.needs("tmux")) func terminal_showsTheOpeningAndTheEnd() async throws {
        try await CommandBench.play { bench in
            let terminal = try await bench.scene.terminal(
                columns: 80, rows: 24,
                variables: ["TAPLINE_ADMIN": bench.admin, "NO_COLOR": "1", "LC_ALL": "C.UTF-8", "PS1": "$ "])
            try await terminal.type("clear; \(TaplineProcess.binary) tail --connection 1", "Enter")
            try await terminal.await("the start") {
                $0.contains("tapline: following connection 1; press Ctrl-C to stop")
            }
            try await AdminClient(scene: bench.scene, address: bench.admin)
                .await("a tap", "/v1/connections") { answer -> Bool? in
                    try answer.json["connections"]?.list.first?["recording"] == .flag(true) ? true : nil
                }
            try await converse(bench)
            try await bench.puppet.close("client")
            try await bench.puppet.receiveToEnd("server")
            try await bench.puppet.close("server")
            try await terminal.await("the opening and the end") { lines in
                lines.contains { $0.contains(" #1 was open before, 127.0.0.1:") }
                    && lines.contains { $0.contains(" #1 closed by client, up 17 B, down 7 B, ") }
            }
        }
    }

    @Test func json_isAnObjectALine() async throws {
        try await CommandBench.play { bench in
            let program = try await follow(bench, ["--relay", "web", "--json"])
            try await converse(bench)
            let lines = try await program.output.first(2) { _ in true }
            let objects = try lines.map { try JSONDecoder().decode([String: JSON].self, from: Data($0.utf8)) }
            #expect(objects.map { $0["flow"]?.text } == ["up", "down"] && objects.allSatisfy { $0["id"]?.number == 1 })
            #expect(objects[1]["data"]?.text == Data("answer\n".utf8).base64EncodedString())
            try await program.send(SIGTERM)
            #expect(try await program.exit() == .exited(0))
        }
    }

    @Test func connection_endsWithIt() async throws {
        try await CommandBench.play { bench in
            let program = try await follow(bench, ["--connection", "1", "--format", "hex"])
            try await converse(bench)
            try await program.output.line(containing: "|answer.|")
            try await bench.puppet.close("client")
            try await bench.puppet.close("server")
            #expect(try await program.exit() == .exited(0))
            let unknown = try await bench.command("tail", "--connection", "4711")
            #expect(unknown.ending == .exited(1) && unknown.errors.count == 1)
        }
    }

    @Test func pcapng_isARecording_thatShowReads() async throws {
        try await CommandBench.play { bench in
            let file = bench.scene.path("live.pcapng")
            let program = try bench.scene.start(
                ["sh", "-c", "exec \"$0\" tail --connection 1 --format pcapng > \"$1\"", TaplineProcess.binary, file],
                variables: ["TAPLINE_ADMIN": bench.admin])
            try await AdminClient(scene: bench.scene, address: bench.admin)
                .await("a tap", "/v1/connections") { answer -> Bool? in
                    try answer.json["connections"]?.list.first?["recording"] == .flag(true) ? true : nil
                }
            try await converse(bench)
            try await bench.puppet.close("client")
            try await bench.puppet.close("server")
            #expect(try await program.exit() == .exited(0))
            let shown = try await bench.command("show", file, "--format", "text")
            #expect(shown.ending == .exited(0) && shown.text.contains("answer"))
        }
    }

    @Test func reader_thatLeaves_endsItQuietly() async throws {
        try await CommandBench.play { bench in
            let program = try bench.scene.start(
                ["bash", "-c", "\"$0\" tail | head -n 1 >&2; echo ${PIPESTATUS[0]}", TaplineProcess.binary],
                variables: ["TAPLINE_ADMIN": bench.admin])
            try await AdminClient(scene: bench.scene, address: bench.admin)
                .await("a tap", "/v1/connections") { answer -> Bool? in
                    try answer.json["connections"]?.list.first?["recording"] == .flag(true) ? true : nil
                }
            // A write after `head` has exited must report that.
            while program.output.all.isEmpty { try await converse(bench) }
            #expect(try await program.exit() == .exited(0))
            #expect(program.output.all == ["0"] && program.errors.all.count == 1)
        }
    }

    @Test func tapline_thatEnds_isReported() async throws {
        try await CommandBench.play { bench in
            let program = try await follow(bench, [])
            try await bench.tapline.program.send(SIGKILL)
            #expect(try await program.exit() == .exited(1))
            #expect(program.errors.all.last?.contains("has ended") == true)
        }
    }
}
