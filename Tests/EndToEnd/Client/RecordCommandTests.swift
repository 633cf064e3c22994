import Foundation
import Testing

/// `tapline record`.
@Suite(.needs("python3", "curl"))
struct RecordCommandTests {
    @Test func relay_isRecordedFromTheStartToTheStop() async throws {
        try await CommandBench.play { bench in
            let before = try await bench.command("record")
            #expect(before.ending == .exited(0) && before.output.count == 2)
            #expect(before.output[1].hasPrefix("web    no "))

            let started = try await bench.command("record", "web", "--max-bytes", "4B")
            let prefix = "Recording web to "
            #expect(started.ending == .exited(0) && started.output.count == 1 && started.errors.isEmpty)
            let line = try #require(started.output.first)
            #expect(line.hasPrefix(prefix + bench.scene.path("recordings/web.")))
            let file = String(line.dropFirst(prefix.count))

            let again = try await bench.command("record", "web")
            #expect(again.ending == .exited(1) && again.output.isEmpty)
            #expect(
                again.errors == [
                    "tapline: web is already being recorded to \(file); tapline record web --stop stops it"
                ])
            #expect(try await bench.command("record").output[1].hasSuffix(file))

            try await bench.puppet.send("client", "question")
            try await bench.puppet.receive("server", count: 8)
            try await bench.puppet.close("client")
            try await bench.puppet.receiveToEnd("server")
            try await bench.puppet.close("server")
            _ = try await bench.tapline.records()

            // The only relay that is recorded need not be named.
            let stopped = try await bench.command("record", "--stop")
            #expect(stopped.ending == .exited(0) && stopped.errors.isEmpty)
            #expect(stopped.output.first == "Stopped recording web" && stopped.output.contains("  file     \(file)"))
            #expect(stopped.output.contains("  bytes    4 B"))
            let packets = try #require(stopped.output.first { $0.hasPrefix("  packets  ") })
            #expect(Int(packets.dropFirst("  packets  ".count)) ?? 0 > 2)
            // The file has the relay's first bytes of a connection that was open before.
            let shown = try await bench.command("show", file, "--format", "raw", "--flow", "up")
            #expect(shown.output == ["ques"])

            let twice = try await bench.command("record", "web", "--stop", "--json")
            #expect(twice.ending == .exited(1))
            #expect(twice.errors.first?.hasPrefix("tapline: web is not being recorded") == true)
            let listed = try await bench.command("record", "--json").objects
            #expect(listed.count == 1 && listed[0]["latest"]?["file"]?.text == file)
        }
    }

    @Test func unknownRelay_isAnsweredWithTheNames() async throws {
        try await CommandBench.play { bench in
            for words in [
                ["record", "nosuch"], ["record", "nosuch", "--stop"], ["connections", "--relay", "nosuch"],
            ] {
                let program = try bench.start(words)
                #expect(try await program.exit() == .exited(1))
                #expect(program.errors.all == ["tapline: no relay named `nosuch`; relays: web"])
            }
            let wrong = try await bench.command("record", "web", "--rotate-size", "1B")
            #expect(wrong.ending == .exited(64))
        }
    }
}
