import Foundation
import TestSupport
import Testing

/// The commands that query and control a running Tapline.
@Suite(.needs("python3", "curl"))
struct ClientCommandTests {
    // MARK: Queries

    @Test func status_showsTheProcessAndItsRelays() async throws {
        try await CommandBench.play { bench in
            let shown = try await bench.command("status")
            #expect(shown.ending == .exited(0) && shown.errors.isEmpty)
            #expect(shown.text.contains("pid \(bench.tapline.pid), admin \(bench.admin)"))
            let relay = try #require(shown.output.first { $0.hasPrefix("web ") })
            #expect(relay.contains(bench.tapline.address) && relay.contains(bench.upstream))
            #expect(!shown.text.contains("warning"))
            let json = try await bench.command("status", "--json").objects
            #expect(
                json.count == 2 && json[0]["pid"]?.number == Int(bench.tapline.pid) && json[1]["name"]?.text == "web")
        }
    }

    @Test func connections_areListedOpenAndEnded() async throws {
        try await CommandBench.play { bench in
            try await bench.puppet.send("client", "question")
            try await bench.puppet.receive("server", count: 8)
            let open = try await bench.command("connections")
            #expect(open.ending == .exited(0) && open.output.count == 2)
            #expect(open.output[0].contains("CLIENT") && open.output[1].contains("8 B"))
            #expect(try await bench.command("connections", "--filter", "WEB", "--json").objects.count == 1)
            #expect(try await bench.command("connections", "--filter", "nosuch", "--json").objects.isEmpty)
            #expect(try await bench.command("connections", "--filter", "nosuch").text == "none of 1 match")
            try await bench.puppet.reset("client")
            _ = try await bench.tapline.records()
            let ended = try await bench.command("connections", "--closed")
            #expect(ended.output.count == 2 && ended.output[1].contains("client_reset"))
            let json = try await bench.command("connections", "--closed", "--json").objects
            #expect(json.count == 1 && json[0]["reason"]?.text == "client_reset" && json[0]["bytes_up"]?.number == 8)
            // An answer may be a tenth of a second old.
            try await bench.scene.eventually("it is gone from what is open") {
                try await bench.command("connections").text == "no connection is open"
            }
        }
    }

    @Test func connections_withWatch_areListedUntilCtrlC() async throws {
        try await CommandBench.play { bench in
            let program = try bench.start(["connections", "--watch"])
            _ = try await program.output.first(2) { $0.contains("127.0.0.1:") }
            try await program.send(SIGINT)
            #expect(try await program.exit() == .exited(0))
            #expect(program.output.all.contains("") && program.errors.all.isEmpty)
            #expect(program.output.all.allSatisfy { !$0.contains("\u{1B}") })
        }
    }

    @Test func why_tellsTheStory_openAndEnded() async throws {
        try await CommandBench.play { bench in
            let open = try await bench.command("why", "1")
            #expect(open.ending == .exited(0) && open.output.first == "connection 1 of web, open")
            #expect(open.text.contains("path         127.0.0.1:") && open.text.contains("client leg"))
            try await bench.puppet.close("client")
            try await bench.puppet.receiveToEnd("server")
            try await bench.puppet.close("server")
            _ = try await bench.tapline.records()
            let ended = try await bench.command("why", "1")
            #expect(
                ended.output.first == "connection 1 of web, closed" && ended.text.contains("client_closed, by client"))
            let json = try await bench.command("why", "1", "--json").objects
            #expect(json.count == 1 && json[0]["story"]?.list.isEmpty == false)
            let unknown = try await bench.command("why", "4711")
            #expect(unknown.ending == .exited(1) && unknown.output.isEmpty)
            #expect(unknown.errors == ["tapline: there has been no connection 4711; the latest is 1"])
        }
    }

    @Test func top_withoutATerminal_saysEverythingOnce() async throws {
        try await CommandBench.play { bench in
            let shown = try await bench.command("top")
            #expect(shown.ending == .exited(0))
            #expect(
                shown.text.contains("UPSTREAM") && shown.text.contains("WAITS FOR") && !shown.text.contains("\u{1B}"))
            #expect(try await bench.command("top", "--json").objects.count == 3)
        }
    }

    // MARK: Control

    @Test func kill_resetsTheConnection_andSaysWhatItWas() async throws {
        try await CommandBench.play { bench in
            let killed = try await bench.command("kill", "1")
            #expect(killed.ending == .exited(0))
            #expect(killed.output.count == 1 && killed.output[0].hasPrefix("killed 1 of web: 127.0.0.1:"))
            #expect(try await bench.puppet.receiveToEnd("client").end == "reset")
            #expect(try await bench.tapline.records()[0].reason == "killed")
            let again = try await bench.command("kill", "1", "4711")
            #expect(again.ending == .exited(1) && again.errors.count == 2)
            #expect(
                again.errors[0].contains("connection 1 is not open: it ended at ")
                    && again.errors[0].contains("(killed)"))
            #expect(again.errors[1] == "tapline: no connection with id 4711")
        }
    }

    @Test func reload_tellsTheDifference_orEveryMistakeWith78() async throws {
        try await CommandBench.play { bench in
            let good = try String(contentsOfFile: bench.path, encoding: .utf8)
            let same = try await bench.command("reload")
            #expect(same.ending == .exited(0) && same.text == "configuration unchanged; generation 1 stays active")
            // Renamed into place, so the file watch sees it too: one of the two reloads, the other finds it in force.
            try Files.replace(bench.path, with: good + "shutdown: { drain: 7s }\nwrong: 1\n")
            let bad = try await bench.command("reload")
            #expect(bad.ending == .exited(78) && bad.output.isEmpty)
            #expect(bad.errors.count == 1 && bad.errors[0].hasPrefix("\(bench.path):"))
            #expect(bad.errors[0].contains("`wrong`"))
            let json = try await bench.command("reload", "--json")
            #expect(json.ending == .exited(78) && json.errors.isEmpty)
            #expect(try json.objects.first?["error"]?["code"]?.text == "rejected")
            try Files.replace(bench.path, with: good + "shutdown: { drain: 7s }\n")
            let applied = try await bench.command("reload")
            #expect(applied.ending == .exited(0))
            #expect(
                applied.output == ["generation 2 is active", "  shutdown.drain 25s → 7s"]
                    || applied.text == "configuration unchanged; generation 2 stays active")
            #expect(try await bench.command("status").text.contains("generation 2"))
        }
    }

    @Test func drain_waitsForTheEnd() async throws {
        try await CommandBench.play { bench in
            let program = try bench.start(["drain", "--wait"])
            try await program.output.line(containing: "1 connection may finish within 25.0 s")
            try await bench.puppet.awaitRefusal(bench.tapline.address)
            try await bench.puppet.close("client")
            try await bench.puppet.close("server")
            #expect(try await program.exit() == .exited(0))
            #expect(program.output.all.last == "Tapline has stopped")
            #expect(try await bench.tapline.program.exit() == .exited(0))
        }
    }

    // MARK: Trouble

    @Test func nothingListening_endsWith71AndSaysWhatToDo() async throws {
        try await scene { scene in
            let program = try scene.start([
                TaplineProcess.binary, "status", "--admin", "unix:\(scene.path("none.sock"))",
            ])
            #expect(try await program.exit() == .exited(71))
            #expect(
                program.errors.all.first?.hasPrefix("tapline: nothing listens at unix:\(scene.path("none.sock"))")
                    == true)
            #expect(program.errors.all.last?.contains("was it started with --admin") == true)
        }
    }

    @Test func otherServer_isRecognised() async throws {
        try await CommandBench.play { bench in
            // The relay's own address: an upstream answers there, but not in HTTP.
            let program = try startAlone(bench, ["status", "--admin", bench.tapline.address])
            try await bench.puppet.accept("other", from: "upstream")
            try await bench.puppet.send("other", "220 mail ready\r\n")
            #expect(try await program.exit() == .exited(1))
            #expect(program.errors.all.first?.contains("does not speak HTTP") == true)
        }
    }

    private func startAlone(_ bench: CommandBench, _ words: [String]) throws -> Program {
        try bench.scene.start([TaplineProcess.binary] + words)
    }

    @Test func token_isAskedForAndTaken() async throws {
        try await CommandBench.play { bench in
            let secret = try bench.scene.file("secret", "correct-horse\n")
            let text = try String(contentsOfFile: bench.path, encoding: .utf8)
            try Files.replace(
                bench.path,
                with: text.replacingOccurrences(
                    of: "admin: { listen: 127.0.0.1:0 }",
                    with: "admin: { listen: 127.0.0.1:0, token_file: '\(secret)' }"))
            try await bench.tapline.program.errors.line(containing: "reloaded: ")
            let without = try await bench.command("status")
            #expect(without.ending == .exited(1) && without.errors.first?.contains("--token-file FILE") == true)
            #expect(try await bench.command("status", "--token-file", secret).ending == .exited(0))
            let wrong = try bench.scene.file("wrong", "wrong-horse\n")
            let refused = try await bench.command("status", "--token-file", wrong)
            #expect(refused.ending == .exited(1))
            #expect(refused.errors.first?.contains("does not accept this token") == true)
        }
    }

    @Test(arguments: [
        ["connections", "--sort", "colour"], ["connections", "--limit", "0"],
        ["connections", "--closed", "--sort", "age"],
        ["kill"], ["kill", "one"], ["why", "one"], ["tail", "--format", "png"], ["tail", "--json", "--format", "hex"],
        ["status", "--admin", "nowhere"],
    ])
    func wrongUsage_endsWith64(words: [String]) async throws {
        try await scene { scene in
            let program = try scene.start([TaplineProcess.binary] + words)
            #expect(try await program.exit() == .exited(64))
            #expect(program.output.all.isEmpty && !program.errors.all.isEmpty)
        }
    }
}
