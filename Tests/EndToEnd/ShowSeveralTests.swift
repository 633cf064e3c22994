import Foundation
import Testing

/// `tapline show` and `tapline why` over several recordings.
struct ShowSeveralTests {
    @Test(.needs("python3")) func folder_isShownWithRelays_andOneConnectionHasAStory() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let folder = scene.path("recordings")
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await puppet.listen("upstream"))", "127.0.0.1:0:127.0.0.1:1",
                options: ["--record", folder + "/"])
            try await puppet.connect("client", to: tapline.listeners[0])
            try await puppet.accept("server", from: "upstream")
            try await puppet.send("client", "question\r\n")
            try await puppet.receive("server", count: 10)
            try await puppet.close("client")
            try await puppet.close("server")
            _ = try await tapline.records(1)
            try await puppet.connect("refused", to: tapline.listeners[1])
            _ = try await tapline.records(2)
            try await tapline.stop()

            func run(_ words: [String], status: CInt = 0) async throws -> (output: [String], errors: [String]) {
                let program = try scene.start([TaplineProcess.binary] + words)
                #expect(try await program.exit() == .exited(status))
                return (program.output.all, program.errors.all)
            }
            let summary = try await run(["show", folder])
            #expect(summary.errors == [] && summary.output.count == 3)
            #expect(summary.output[0].contains("  RELAY  "))
            #expect(summary.output[1].contains("  client_closed  "))
            #expect(summary.output[2].contains("  connect_refused  "))
            let reversed = try await run(["show", folder, "--sort", "-start"])
            #expect(reversed.output.dropFirst().map { $0.prefix(2) } == [" 2", " 1"])
            let failed = try await run(["show", folder, "--closed-by", "upstream"])
            #expect(failed.output.count == 2 && failed.output[1].contains("connect_refused"))
            // The bytes of connections that are selected by their ends.
            let text = try await run(["show", folder, "--format", "text", "--filter", "client_closed"])
            #expect(text.output.map { $0.contains("#1 ") } == [true, true, false, true])
            #expect(text.output[2] == "question")
            let refused = try await run(["show", folder, "#2", "--format", "text"])
            #expect(refused.output.count == 2 && refused.output[1].contains(" closed by upstream, connect_refused"))
            let story = try await run(["why", folder, "1"])
            #expect(story.output.joined(separator: " ").contains("The client closed first"))
            let object = try await run(["why", folder, "2", "--json"]).output
            let fields = try JSONDecoder().decode([String: JSON].self, from: Data(object.joined().utf8))
            #expect(object.count == 1 && fields["id"] == .number(2) && fields["reason"] == .text("connect_refused"))
            #expect(fields["closed_by"] == .text("upstream") && fields["bytes_up"] == .number(0))
            guard case .list(let sentences) = fields["story"] else { throw Failure("no story: \(object)") }
            #expect(sentences.contains { "\($0)".contains("The upstream refused the connection") })
            // Without an id the only connection of a recording is explained; of several one has to be chosen.
            let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            let only = try await run(["why", "\(folder)/\(names[0])"])
            #expect(only.output.first?.hasPrefix("connection ") == true)
            let several = try await run(["why", folder], status: 64)
            #expect(
                several.errors.first?.contains("has more than one connection; write tapline why \(folder) ID") == true)
            let unknown = try await run(["why", folder, "9"], status: 1)
            #expect(unknown.errors == ["tapline: no connection 9 in 2 recordings; available: 1 to 2"])
            // One that cannot be read is named, and the others are shown.
            try Data("hello".utf8).write(to: URL(fileURLWithPath: folder + "/broken.pcap"))
            let broken = try await run(["show", folder], status: 1)
            #expect(broken.output.count == 3 && broken.errors.count == 1)
            #expect(broken.errors.first?.contains("broken.pcap is not a capture") == true)
        }
    }
}
