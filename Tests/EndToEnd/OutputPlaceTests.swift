import Foundation
import TestSupport
import Testing

/// Outputs that cannot be opened by a path, and one without a reader.
struct OutputPlaceTests {
    /// Opening any of these gives ENXIO if the descriptor is a socket.
    @Test(
        .needs("python3"),
        arguments: ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link", "/dev/fd/9", "/proc/thread-self/fd/9"])
    func accessLog_toASocketOfItsOwn_isWritten_alsoAfterARotation(place: String) async throws {
        try await reloadScene { bench in
            let link = "\(bench.folder)/access.log"
            try Files.link(link, to: "/dev/stdout")
            let access = place == "link" ? link : place
            let log = "format: json, access: \(access)"
            try Files.write(bench.text([("web", bench.first)], log: log), to: bench.path)
            let number = access.hasSuffix("9") ? "9" : "1"
            let tapline = try await bench.run(before: Scene.peer("socket_output.py") + [number])
            try await bench.converse(bench.first)
            #expect(try await tapline.records(1).count == 1)
            // As after a rotation: everything is opened again, whether or not something has changed.
            try await tapline.program.send(SIGHUP)
            try await bench.converse(bench.first)
            #expect(try await tapline.records(2).count == 2)
            try Files.write(bench.text([("web", bench.first), ("cache", bench.second)], log: log), to: bench.path)
            try await tapline.program.send(SIGHUP)
            try await bench.reloaded(tapline, 2)
            try await bench.converse(bench.second)
            #expect(try await tapline.records(3).map(\.relay) == ["web", "web", "cache"])
            try await tapline.program.send(SIGTERM)
            #expect(try await tapline.program.exit() == .exited(0))
        }
    }

    @Test(.needs("python3")) func accessLog_toADescriptorThatIsNotThere_isAnErrorThatNamesIt() async throws {
        try await reloadScene { bench in
            try Files.write(
                bench.text([("web", bench.first)], log: "format: json, access: /dev/fd/9"), to: bench.path)
            let program = try bench.scene.start([TaplineProcess.binary, "run", "--config", bench.path])
            #expect(try await program.exit() == .exited(71))
            #expect(
                program.errors.all.contains {
                    $0.contains("cannot open /dev/fd/9 for writing: Bad file descriptor (EBADF); start tapline with")
                })
        }
    }

    @Test(.needs("python3")) func recording_toASocket_isWholePcapng() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let file = scene.path("copy.pcapng")
            let script = "exec \"$@\" >\"$0\""
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(upstream)", options: ["--record", "/dev/stdout"],
                before: ["sh", "-c", script, file] + Scene.peer("socket_output.py") + ["1"])
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            try await puppet.send("client", "question")
            try await puppet.receive("server", count: 8)
            try await puppet.close("client")
            try await puppet.close("server")
            let record = try await tapline.records()[0]
            #expect(record.recordedBytes == 8 && record.droppedBytes == 0)
            try await tapline.program.send(SIGTERM)
            #expect(try await tapline.program.exit() == .exited(0))
            try await scene.eventually("the copy is whole") {
                try await scene.facts(of: [file]).recorded == 8
            }
        }
    }

    @Test func recordToStandardError_isAUsageError() async throws {
        try await scene { scene in
            for arguments in [["--record", "/dev/stderr"], ["--record", "/dev/fd/1", "--print", "text"]] {
                let program = try scene.start([TaplineProcess.binary, "forward"] + arguments + ["0:127.0.0.1:9"])
                #expect(try await program.exit() == .exited(64))
                #expect(program.errors.all.contains { $0.contains("both write to standard") })
            }
        }
    }

    /// A terminal after Ctrl-S: bytes and connections continue, memory does not grow with them, and omitted output is
    /// reported in its place when the terminal continues.
    @Test(.needs("python3")) func print_thatIsNotRead_costsBoundedMemory_andSaysWhatItOmits() async throws {
        try await scene(.heavy) { scene in
            let fifo = scene.path("terminal")
            try await scene.run("mkfifo", fifo)
            let peers = try scene.start(Scene.peer("churn.py"))
            let puppet = try scene.puppet()
            // It holds the FIFO's other end open itself, and never reads it.
            let script = "exec 9<>\"$0\"; exec \"$@\" >\"$0\""
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await scene.listening(peers))",
                "127.0.0.1:0:\(try await puppet.listen("upstream"))",
                options: ["--print", "hex"], before: ["sh", "-c", script, fifo])
            // More than 16 MiB of copies: from here on hardly anything fits.
            try await puppet.connect("bulk", to: tapline.listeners[1])
            try await puppet.accept("sink", from: "upstream")
            try await puppet.pass(40_000_000, from: "bulk", to: "sink")
            // End records are read; if this process was delayed they waited too, and the next round decides.
            var (rounds, growth) = (0, Int.max)
            while growth >= 4 << 20, rounds < 3 {
                let before = try ProcessFacts.privateMemory(of: tapline.pid)
                rounds += 1
                peers.write("\(tapline.address) 8000 0\n")
                let said = try await peers.output.first(rounds, within: .seconds(300)) { $0.contains("\"good\": ") }
                #expect(said.last == "{\"good\": 8000, \"trouble\": null}")
                growth = try ProcessFacts.privateMemory(of: tapline.pid) - before
            }
            #expect(growth < 4 << 20, "\(growth >> 10) KiB")

            let reader = try scene.start(["grep", "-a", "-m", "1", " omitted: the output was too slow", fifo])
            let words = try await reader.output.line(containing: " omitted: ", within: .seconds(180))
                .split(separator: " ")
            // 14 bytes each way for each connection; some of the first ones fit.
            let connections = try #require(Int(words[4]))
            #expect(connections > 8000 * rounds / 2 && connections <= 8000 * rounds)
            #expect(Int(words[1]) == connections * 28)
            try scene.start(["sh", "-c", "exec cat \"$0\" >/dev/null", fifo])
            try await tapline.program.send(SIGTERM)
            #expect(try await tapline.program.exit() == .exited(0))
        }
    }
}
