import Foundation
import Testing

/// The output of a running relay; no output can block it.
struct OutputTests {
    /// One conversation with 8 bytes up, and as many down as the text has.
    private func converse(_ puppet: Puppet, through address: String, answer: String = "answer") async throws {
        try await puppet.connect("client", to: address)
        try await puppet.accept("server", from: "upstream")
        try await puppet.send("client", "question")
        try await puppet.receive("server", count: 8)
        try await puppet.send("server", answer)
        try await puppet.receive("client", count: answer.utf8.count)
        try await puppet.close("client")
        try await puppet.receiveToEnd("server")
        try await puppet.close("server")
    }

    @Test(.needs("python3")) func jsonLines_areObjectsWithTheKeysOfTheContractInOrder() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward("127.0.0.1:0:\(try await puppet.listen("upstream"))")
            for _ in 0..<3 { try await converse(puppet, through: tapline.address) }
            try await tapline.stop()
            let output = tapline.program.output.all
            #expect(output.count == 3)
            // Python parses the JSON and keeps the order.
            for line in output {
                let keys = try await scene.run("python3", "-c", "import json,sys;print(*json.loads(sys.argv[1]))", line)
                #expect(keys.split(separator: " ").map(String.init) == EndRecord.keys)
            }
            for line in tapline.program.errors.all {
                let keys = try await scene.run("python3", "-c", "import json,sys;print(*json.loads(sys.argv[1]))", line)
                #expect(keys.hasPrefix("time level message"))
            }
        }
    }

    @Test(.needs("python3")) func textRecords_haveTheKeysOfTheContractInOrder() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let program = try scene.start([TaplineProcess.binary, "forward", "127.0.0.1:0:\(upstream)"])
            let announced = try await program.errors.line(containing: "listens on")
            let address = try #require(announced.firstMatch(of: /listens on (\S+), forwards to (\S+)$/))
            #expect(announced.hasPrefix("tapline: \(upstream.replacing(":", with: "-")) listens on "))
            #expect(String(address.2) == upstream)
            try await converse(puppet, through: String(address.1))
            let line = try await program.output.first { $0.hasPrefix("time=") }[0]
            let pairs = line.split(separator: " ").map { $0.split(separator: "=", maxSplits: 1) }
            #expect(pairs.map { String($0[0]) } == EndRecord.keys)
            #expect(pairs[0][1].wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
            #expect(
                line.hasSuffix(
                    " errno=null recorded_bytes=null dropped_bytes=null proxied_by=null unique_id=null server_name=null "
                        + "alpn=null waited_for=null held_bytes=null waited_ms=null held_ms=null attempts=1 tls=null "
                        + "tls_peer=null upstream_tls=null upstream_tls_peer=null tls_fault=null"))
            try await program.send(SIGTERM)
            #expect(try await program.exit() == .exited(0))
        }
    }

    @Test(.needs("python3")) func printedText_showsNoControlByte() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let program = try scene.start(
                [
                    TaplineProcess.binary, "forward", "--print", "text",
                    "127.0.0.1:0:\(try await puppet.listen("upstream"))",
                ], variables: ["LC_ALL": "C.UTF-8"])
            let address = try #require(
                try await program.errors.line(containing: "listens on").firstMatch(of: /listens on (\S+),/))
            // Control sequences for a terminal: colour, bell, a new title, and C1 controls in UTF-8.
            try await converse(
                puppet, through: String(address.1), answer: "\u{1B}[31mred\u{7}\r\n\u{1B}]0;mine\u{9B}2Jtab\tä\n")
            // With traffic on standard output, end records go to standard error.
            _ = try await program.errors.first { $0.hasPrefix("time=") }
            try await program.send(SIGTERM)
            #expect(try await program.exit() == .exited(0))
            let shown = program.output.all
            #expect(shown.contains { $0.hasSuffix(" 8 bytes") && $0.contains("#1 client") })
            #expect(shown.contains("question"))
            #expect(shown.contains("\\x1b[31mred\\x07"))
            #expect(shown.contains("\\x1b]0;mine\\xc2\\x9b2Jtab\tä"))
            #expect(shown.allSatisfy { $0.unicodeScalars.allSatisfy { $0.value >= 0x20 || $0 == "\t" } })
        }
    }

    @Test(.needs("python3")) func printedHex_showsOffsetBytesAndCharacters() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await puppet.listen("upstream"))", options: ["--print", "hex"])
            try await converse(puppet, through: tapline.address, answer: "Hello, server!\u{0}\u{1B}end")
            _ = try await tapline.program.errors.first(where: EndRecord.isRecord)
            try await tapline.stop()
            let shown = tapline.program.output.all
            #expect(shown.contains("00000000  71 75 65 73 74 69 6f 6e                           |question|"))
            #expect(shown.contains("00000000  48 65 6c 6c 6f 2c 20 73  65 72 76 65 72 21 00 1b  |Hello, server!..|"))
            #expect(shown.contains("00000010  65 6e 64                                          |end|"))
        }
    }

    @Test(.needs("python3")) func quiet_saysNothing() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let front = scene.path("front.sock")
            // A Unix socket, because no port is printed.
            let program = try scene.start([
                TaplineProcess.binary, "forward", "--quiet", "unix:\(front)=\(upstream)", "127.0.0.1:0:\(upstream)",
            ])
            try await puppet.awaitListener("unix:\(front)")
            // The wait was a connection too.
            try await puppet.accept("probe", from: "upstream")
            try await puppet.close("probe")
            try await converse(puppet, through: "unix:\(front)")
            try await program.send(SIGTERM)
            #expect(try await program.exit() == .exited(0))
            #expect(program.output.all.isEmpty && program.errors.all.isEmpty)
        }
    }

    /// The reader of the end records exits: one line reports it, and the relay continues.
    @Test(.needs("python3", "head", "bash")) func standardOutput_withoutAReader_doesNotEndTheRelay() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await puppet.listen("upstream"))",
                before: ["bash", "-c", #"exec "$0" "$@" > >(exec head -n 1 >&2)"#])
            try await converse(puppet, through: tapline.address)
            // The first record has gone through head, which has then exited.
            _ = try await tapline.program.errors.first(where: EndRecord.isRecord)
            // head exits when it gets to it, and one more record is lost before the pipe is known to have no reader.
            try await scene.eventually("the missing reader is reported") {
                try await converse(puppet, through: tapline.address)
                return tapline.program.errors.all.contains { $0.contains("EPIPE") }
            }
            try await converse(puppet, through: tapline.address)
            try await tapline.program.send(SIGTERM)
            #expect(try await tapline.program.exit() == .exited(0))
        }
    }

    @Test(.needs("python3")) func standardOutput_thatIsFull_doesNotEndTheRelay() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await puppet.listen("upstream"))",
                before: ["sh", "-c", #"exec "$0" "$@" > /dev/full"#])
            try await converse(puppet, through: tapline.address)
            try await tapline.program.errors.line(containing: "ENOSPC")
            try await converse(puppet, through: tapline.address)
            try await tapline.program.send(SIGTERM)
            #expect(try await tapline.program.exit() == .exited(0))
            // Lost records are reported.
            #expect(tapline.program.errors.all.contains { $0.contains("2 end records were never written") })
        }
    }

    /// End records that are not read wait in the pipe, then in memory, and the relay continues.
    @Test(.needs("python3")) func standardOutput_thatIsNotRead_doesNotHoldTheRelayUp() async throws {
        try await scene { scene in
            let peers = try scene.start(Scene.peer("crowd.py"))
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await scene.listening(peers))",
                // A pipe whose both ends the relay holds: it fills, and never breaks.
                before: ["sh", "-c", "mkfifo \(scene.path("pipe")) && exec \"$0\" \"$@\" 1<>\(scene.path("pipe"))"])
            // 400 bytes each: more than a pipe of 64 KiB holds.
            peers.write("ask \(tapline.address) 400\n")
            try await peers.output.line(containing: "\"asking\": 400")
            peers.write("finish\n")
            try await peers.output.line(containing: "\"answered\": 400")
            try await tapline.program.send(SIGTERM)
            try await tapline.program.errors.line(containing: "end records")
            #expect(try await tapline.program.exit() == .exited(0))
        }
    }

    @Test(.needs("python3")) func accessLog_inAFile_isAppendedTo() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let log = try scene.file("access.log", "earlier\n")
            let path = try scene.file(
                "tapline.yaml",
                """
                log: { format: json, access: access.log }
                relays:
                  - { name: web, listen: "127.0.0.1:0", upstream: "\(try await puppet.listen("upstream"))" }

                """)
            let program = try scene.start([TaplineProcess.binary, "run", "--config", path])
            let announced = try await program.errors.line(containing: "listens on")
            let address = try #require(announced.firstMatch(of: /listens on (\S+),/))
            try await converse(puppet, through: String(address.1))
            try await program.send(SIGTERM)
            #expect(try await program.exit() == .exited(0))
            let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map(String.init)
            #expect(lines.count == 2 && lines[0] == "earlier")
            #expect(try EndRecord(json: lines[1]).relay == "web")
            #expect(program.output.all.isEmpty)
        }
    }
}
