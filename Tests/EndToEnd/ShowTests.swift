import Foundation
import TestSupport
import Testing

/// `tapline show` with captures of real programs, made by tcpdump on loopback.
struct ShowTests {
    /// The packets that tcpdump captured on the port during this number of conversations. Its buffer of 64 MiB holds
    /// all of them, so that nothing is lost on a busy machine.
    private func capture(
        _ name: String, port: Substring, conversations: Int, in scene: Scene, options: [String] = [],
        _ talk: () async throws -> Void
    ) async throws -> String {
        let path = scene.path(name)
        let tcpdump = try scene.start(
            ["tcpdump", "-i", "lo", "-n", "-Z", "root", "-U", "-B", "65536", "-w", path] + options + [
                "tcp port \(port)"
            ])
        try await tcpdump.errors.line(containing: "listening on ")
        try await talk()
        try await whenQuiet(path, conversations, in: scene)
        try await tcpdump.send(SIGINT)
        try await tcpdump.exit()
        return path
    }

    /// tcpdump writes packets when the kernel passes them on: repeats until every conversation and its end are there.
    private func whenQuiet(_ path: String, _ conversations: Int, in scene: Scene) async throws {
        let deadline = Deadline()
        while true {
            let rows = try await show([path], in: scene).output.filter { !$0.hasPrefix("ID") }
            if rows.count >= conversations, !rows.contains(where: { $0.contains(" -  ") }) { return }
            guard !deadline.isOver else { throw Failure("tcpdump has not written all: \(rows)") }
        }
    }

    private func show(
        _ arguments: [String], in scene: Scene, status: CInt = 0
    ) async throws -> (output: [String], errors: [String]) {
        let program = try scene.start([TaplineProcess.binary, "show"] + arguments)
        program.finishInput()
        #expect(try await program.exit() == .exited(status))
        return (program.output.all, program.errors.all)
    }

    private func shell(_ command: String, in scene: Scene) async throws -> String {
        try await scene.run("sh", "-c", command.replacingOccurrences(of: "TAPLINE", with: TaplineProcess.binary))
    }

    /// Two requests of curl to Python's server, one for a large file.
    private func http(in scene: Scene, options: [String] = []) async throws -> (path: String, port: Substring) {
        try await scene.run(
            "python3", "-c",
            "import random; open('\(scene.path("big"))', 'wb').write(random.Random(7).randbytes(3_000_000))")
        let server = try scene.start([
            "python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", scene.folder,
        ])
        let words = try await server.output.line(containing: " port ").split(separator: " ")
        let port = try #require(words.firstIndex(of: "port").map { words[$0 + 1] })
        let path = try await capture("http.pcap", port: port, conversations: 2, in: scene, options: options) {
            for name in ["nothing-here", "big"] {
                try await scene.run("curl", "-sS", "-o", "/dev/null", "http://127.0.0.1:\(port)/\(name)")
            }
        }
        return (path, port)
    }

    @Test(.needs("tcpdump", "tshark", "curl", "python3"), .needsRoot)
    func curlCapturedByTcpdump_isSummedUpAndGivesItsBytesBack() async throws {
        try await scene(.heavy) { scene in
            let (path, port) = try await http(in: scene)
            let shown = try await show([path], in: scene)
            #expect(shown.errors == [])
            #expect(shown.output.count == 3)
            #expect(shown.output[0].hasPrefix("ID  TIME "))
            // On a loaded machine the kernel may retransmit segments, which the summary counts.
            let lines = shown.output.map { $0.replacing(#/ \([^()]* repeated\)$/#, with: "") }
            #expect(lines[1].contains(" 127.0.0.1:\(port) ") && lines[1].hasSuffix(" HTTP GET /nothing-here 404"))
            // The server closes after its answer and curl when it has all of it: the capture shows which was first.
            let ends = try await scene.run(
                "tshark", "-r", path, "-Y", "tcp.stream == 1 && tcp.flags.fin == 1", "-T", "fields", "-e", "tcp.srcport"
            )
            let end = ends.prefix { $0 != "\n" } == port ? "upstream_closed" : "client_closed"
            // The width of the column depends on the other conversation.
            #expect(lines[2].split(separator: " ").suffix(5) == [Substring(end), "HTTP", "GET", "/big", "200"])
            // The answer's head, an empty line, the file.
            let rest = try await shell(
                "TAPLINE show \(path) --connection 2 --format raw --flow down | tail -c 3000000 | cmp - \(scene.path("big"))",
                in: scene)
            #expect(rest == "")
            let json = try await shell(
                """
                TAPLINE show \(path) --connection 2 --format json | python3 -c '
                import base64, json, sys
                down = b"".join(base64.b64decode(o["data"]) for o in map(json.loads, sys.stdin) if o["flow"] == "down")
                assert down.endswith(open("\(scene.path("big"))", "rb").read()) and down.startswith(b"HTTP/1.0 200")
                print("the same")'
                """, in: scene)
            #expect(json == "the same")
        }
    }

    @Test(.needs("tcpdump", "curl", "python3", "editcap", "mergecap"), .needsRoot)
    func captureShuffledRepeatedAndCutUp_readsAsTheSame() async throws {
        try await scene(.heavy) { scene in
            let (path, _) = try await http(in: scene)
            let whole = try await shell("TAPLINE show \(path) --format raw | sha256sum", in: scene)
            // Every packet twice, some far from their place; nanoseconds; the other format.
            try await shuffle(path, to: scene.path("shuffled.pcap"), in: scene)
            try await scene.run("editcap", "-F", "pcapng", path, scene.path("other.pcapng"))
            try await scene.run("editcap", "-F", "nsecpcap", path, scene.path("nano.pcap"))
            try await scene.run("mergecap", "-w", scene.path("merged.pcapng"), path, scene.path("other.pcapng"))
            for name in ["shuffled.pcap", "other.pcapng", "nano.pcap", "merged.pcapng"] {
                let flows = try await ["up", "down"].asyncMap { flow in
                    try await shell(
                        "TAPLINE show \(scene.path(name)) --connection 2 --format raw --flow \(flow) | sha256sum",
                        in: scene)
                }
                let expected = try await ["up", "down"].asyncMap { flow in
                    try await shell(
                        "TAPLINE show \(path) --connection 2 --format raw --flow \(flow) | sha256sum", in: scene)
                }
                #expect(flows == expected, "\(name)")
            }
            #expect(
                try await shell("TAPLINE show \(scene.path("other.pcapng")) --format raw | sha256sum", in: scene)
                    == whole)
            // Without some of its packets: the missing bytes are reported, and the end is still there.
            let numbers = try await largePackets(path, in: scene)
            try await scene.run(["editcap", path, scene.path("holes.pcap")] + numbers)
            let holes = try await show([scene.path("holes.pcap")], in: scene)
            #expect(holes.output.count == 3)
            #expect(holes.output.contains { $0.contains(" missing") })
            // Packets truncated to 100 bytes.
            try await scene.run("editcap", "-s", "100", path, scene.path("snapped.pcap"))
            #expect(
                try await show([scene.path("snapped.pcap")], in: scene).output.last?.contains("MiB missing") == true)
        }
    }

    /// The numbers of some large packets in the middle of the download; how many small ones precede them depends on the
    /// load of the machine.
    private func largePackets(_ path: String, in scene: Scene) async throws -> [String] {
        let numbers = try await scene.run(
            "python3", "-c",
            """
            import struct, sys
            data = open(sys.argv[1], 'rb').read()
            numbers, number, place = [], 0, 24
            while place < len(data):
                size = struct.unpack_from('<I', data, place + 8)[0]
                number += 1
                if size > 10_000: numbers.append(number)
                place += 16 + size
            print(*numbers[3:6])
            """, path)
        return numbers.split(separator: " ").map(String.init)
    }

    /// Writes every packet of a pcap twice, in a slightly shuffled order.
    private func shuffle(_ path: String, to target: String, in scene: Scene) async throws {
        try await scene.run(
            "python3", "-c",
            """
            import random, struct, sys
            data = open(sys.argv[1], 'rb').read()
            packets, place = [], 24
            while place < len(data):
                size = struct.unpack_from('<I', data, place + 8)[0]
                packets.append(data[place:place + 16 + size])
                place += 16 + size
            r = random.Random(5)
            # Handshakes stay where they are: who begins is who sends first.
            keyed = [(i + (r.random() * 6 if len(p) > 200 else 0), p) for i, p in enumerate(packets)]
            keyed += [(i + 0.5 + r.random() * 9, p) for i, p in enumerate(packets)]
            open(sys.argv[2], 'wb').write(data[:24] + b''.join(p for _, p in sorted(keyed, key=lambda k: k[0])))
            """, path, target)
    }

    @Test(.needs("tcpdump", "redis-server", "redis-cli"), .needsRoot)
    func redisCapturedOnEveryInterface_isReadAsText() async throws {
        try await scene { scene in
            let server = try scene.start([
                "redis-server", "--port", "0", "--bind", "127.0.0.1", "--save", "", "--dir", scene.folder,
                "--unixsocket",
                scene.path("redis.sock"),
            ])
            try await server.output.line(containing: "eady to accept connections")
            let tapline = try await scene.forward("127.0.0.1:0=unix:\(scene.path("redis.sock"))")
            // Any interface: Linux cooked packets.
            let path = try await capture(
                "redis.pcap", port: "\(tapline.port)", conversations: 1, in: scene, options: ["-i", "any"]
            ) {
                try await scene.run("redis-cli", "-p", "\(tapline.port)", "set", "greeting", "hello")
            }
            let summary = try await show([path], in: scene).output
            #expect(
                summary.last?.hasSuffix(" client_closed    Redis SET") == true
                    || summary.last?.hasSuffix("client_closed  Redis SET") == true)
            let text = try await show([path, "--format", "text"], in: scene).output
            #expect(text[0].contains(" #1 opened, ") && text[1].contains(" #1 client ") && text[1].hasSuffix(" bytes"))
            #expect(text.contains("greeting") && text.dropLast().last == "+OK")
            #expect(text.last?.contains(" closed by client, up ") == true)
            let hex = try await show([path, "--format", "hex", "--flow", "down"], in: scene).output
            #expect(hex.count == 4)
            #expect(hex[2] == "00000000  2b 4f 4b 0d 0a                                    |+OK..|")
        }
    }

    @Test(.needs("tcpdump", "curl", "python3"), .needsRoot)
    func cutFile_isReadUpToTheCutAndEndsWith0() async throws {
        try await scene(.heavy) { scene in
            let (path, _) = try await http(in: scene)
            try await scene.run("sh", "-c", "head -c 1000000 \(path) > \(scene.path("cut.pcap"))")
            let shown = try await show([scene.path("cut.pcap")], in: scene)
            #expect(shown.output.count == 3)
            #expect(shown.errors.count == 1)
            #expect(shown.errors[0].contains("cut.pcap is cut short at byte "))
        }
    }

    @Test(.needs("tcpdump", "curl", "python3"), .needsRoot)
    func standardInput_isReadAndAReaderThatLeavesIsNoError() async throws {
        try await scene(.heavy) { scene in
            let (path, _) = try await http(in: scene)
            let fromPipe = try await shell("cat \(path) | TAPLINE show - --format raw | sha256sum", in: scene)
            let fromFile = try await shell("TAPLINE show \(path) --format raw | sha256sum", in: scene)
            #expect(fromPipe == fromFile)
            let left = try await shell(
                "{ TAPLINE show \(path) --format hex; echo status $? >&2; } 2>&1 >/dev/full | cat; "
                    + "{ TAPLINE show \(path) --format hex 2>&1; echo status $? >&2; } 2>\(scene.path("status")) | head -n 1; "
                    + "cat \(scene.path("status"))", in: scene)
            let lines = left.split(separator: "\n")
            #expect(lines[0].contains("cannot write to standard output") && lines[0].contains("ENOSPC"))
            #expect(lines[1] == "status 1")
            #expect(lines[2].contains("#1 opened, "))
            #expect(lines[3] == "status 0")
        }
    }

    // MARK: Following

    /// A pcap of two packets: SYN and five bytes of a client, from port 40000 on.
    private func packets(_ text: String, sequence: UInt8, isFirst: Bool) -> Data {
        var data = Data()
        if isFirst { data += [0xA1, 0xB2, 0xC3, 0xD4, 0, 2, 0, 4] + [UInt8](repeating: 0, count: 14) + [0, 101] }
        let length = UInt8(40 + text.utf8.count)
        data += [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, length, 0, 0, 0, length]
        data += [0x45, 0, 0, length, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
        data += [0x9C, 0x40, 0, 80, 0, 0, 0, sequence, 0, 0, 0, 0, 0x50, 16, 0, 0, 0, 0, 0, 0]
        return data + Data(text.utf8)
    }

    private func append(_ data: Data, to path: String) throws {
        let file = try #require(FileHandle(forWritingAtPath: path))
        defer { try? file.close() }
        try file.seekToEnd()
        try file.write(contentsOf: data)
    }

    @Test func followedFile_isShownAsItGrowsAndUntilItIsRotatedAway() async throws {
        try await scene { scene in
            let path = scene.path("growing.pcap")
            try Data().write(to: URL(fileURLWithPath: path))
            let program = try scene.start([TaplineProcess.binary, "show", path, "--follow", "--format", "text"])
            // A packet in two halves.
            let first = packets("hello", sequence: 1, isFirst: true)
            try append(first.prefix(50), to: path)
            try append(first.dropFirst(50), to: path)
            try await program.output.line(containing: "hello")
            try append(packets("world", sequence: 6, isFirst: false), to: path)
            try await program.output.line(containing: "world")
            // Bytes before the rotation are still shown.
            try append(packets("again", sequence: 11, isFirst: false), to: path)
            // In one step, because a moment without a file of that name would be another end.
            try FileManager.default.linkItem(atPath: path, toPath: path + ".1")
            try Files.replace(path, with: "")
            #expect(try await program.exit() == .exited(0))
            #expect(program.output.all.dropLast().last == "again")
            #expect(program.output.all.last?.contains(" #1 still open at the end of the recording, ") == true)
            #expect(program.errors.all.last?.contains("rotated away") == true)
        }
    }

    @Test(arguments: [SIGINT, SIGTERM]) func followedFile_isShownUntilASignal(signal: CInt) async throws {
        try await scene { scene in
            let path = scene.path("growing.pcap")
            try packets("hello", sequence: 1, isFirst: true).write(to: URL(fileURLWithPath: path))
            let program = try scene.start([TaplineProcess.binary, "show", path, "--follow", "--format", "text"])
            try await program.output.line(containing: "hello")
            try await program.send(signal)
            #expect(try await program.exit() == .exited(0))
        }
    }

    @Test func pipe_isShownAsItComes() async throws {
        try await scene { scene in
            let fifo = scene.path("fifo")
            mkfifo(fifo, 0o600)
            let program = try scene.start([TaplineProcess.binary, "show", fifo, "--format", "json"])
            // Opened for reading and writing, which does not wait for a reader: that thread may be needed to start it.
            let writer = try #require(FileHandle(forUpdatingAtPath: fifo))
            try writer.write(contentsOf: packets("hello", sequence: 1, isFirst: true))
            try await program.output.line(containing: "\"data\":\"aGVsbG8=\"")
            try writer.write(contentsOf: packets("world", sequence: 6, isFirst: false))
            try await program.output.line(containing: "\"data\":\"d29ybGQ=\"")
            try writer.close()
            #expect(try await program.exit() == .exited(0))
        }
    }

    // MARK: Every byte is shown or named

    /// A pcap of packets of a link type.
    private func pcap(_ packets: [[UInt8]], link: UInt8) -> Data {
        var data = Data([0xA1, 0xB2, 0xC3, 0xD4, 0, 2, 0, 4] + [UInt8](repeating: 0, count: 15) + [link])
        for packet in packets {
            let length: [UInt8] = [0, 0, UInt8(packet.count >> 8), UInt8(packet.count & 0xFF)]
            data += [0, 0, 0, 0, 0, 0, 0, 0] + length + length + packet
        }
        return data
    }

    @Test(arguments: ["summary", "text", "hex", "raw", "json"])
    func packetsThatAreNotShown_areNamedInEveryFormat(format: String) async throws {
        try await scene { scene in
            let plain = [UInt8](packets("hello", sequence: 1, isFirst: false).dropFirst(16))
            var (udp, esp) = (plain, plain)
            udp[9] = 17
            esp[9] = 50
            let mixed = scene.path("mixed.pcap")
            try pcap([plain, udp, udp, esp], link: 101).write(to: URL(fileURLWithPath: mixed))
            let shown = try await show([mixed, "--format", format], in: scene)
            #expect(!shown.output.isEmpty)
            #expect(
                shown.errors == [
                    "tapline: \(mixed): 2 packets skipped: not TCP (2 UDP)",
                    "tapline: \(mixed): 1 packet skipped: in an ESP tunnel",
                ])
            let other = scene.path("other.pcap")
            try pcap([plain, plain], link: 9).write(to: URL(fileURLWithPath: other))
            let named = try await show([other, "--format", format], in: scene)
            #expect(named.output.isEmpty)
            #expect(
                named.errors == ["tapline: \(other): 2 packets skipped: of link type 9 (PPP), which is not supported"])
        }
    }

    @Test(arguments: ["summary", "text", "hex", "raw", "json"])
    func twoHugeGaps_endWithAStatusInEveryFormat(format: String) async throws {
        try await scene { scene in
            let gap = (1 << 62) - 1 as UInt64
            let comment = Array("tapline: \(gap) bytes not recorded id=1 dropped_bytes=\(gap)".utf8)
            func little(_ numbers: Int...) -> [UInt8] {
                numbers.flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
            }
            func block(_ type: Int, _ body: [UInt8]) -> [UInt8] {
                let padded = body + [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
                return little(type, padded.count + 12) + padded + little(padded.count + 12)
            }
            var capture = block(0x0A0D_0D0A, little(0x1A2B_3C4D, 1, -1, -1)) + block(1, little(101, 0))
            for sequence in [1, 6] as [UInt8] {
                let packet = [UInt8](packets("hello", sequence: sequence, isFirst: false).dropFirst(16))
                let padding = [UInt8](repeating: 0, count: (4 - packet.count % 4) % 4)
                capture += block(
                    6,
                    little(0, 0, 0, packet.count, packet.count) + packet + padding
                        + [1, 0, UInt8(comment.count), 0] + comment)
            }
            let path = scene.path("gaps.pcapng")
            try Data(capture).write(to: URL(fileURLWithPath: path))
            let shown = try await show([path, "--format", format], in: scene)
            #expect(!shown.output.isEmpty)
        }
    }

    // MARK: What is no recording

    @Test func whatIsNoRecording_isNamedWithStatus1() async throws {
        try await scene { scene in
            let text = try scene.file("text", "hello\n")
            let empty = try scene.file("empty", "")
            for (path, words) in [
                (scene.path("missing"), "No such file"), (scene.folder, "no recordings in the directory"),
                (text, "is not a capture (pcapng or pcap): it looks like text"), (empty, "is empty"),
            ] {
                let shown = try await show([path], in: scene, status: 1)
                #expect(
                    shown.errors.count == 1 && shown.errors[0].hasPrefix("tapline: ") && shown.errors[0].contains(words)
                )
                #expect(shown.output.isEmpty)
            }
            try packets("hello", sequence: 1, isFirst: true).write(to: URL(fileURLWithPath: scene.path("one")))
            let shown = try await show([scene.path("one"), "--connection", "5"], in: scene, status: 1)
            #expect(shown.errors.last?.contains("no connection 5") == true)
            _ = try await show([text, "--flow", "up"], in: scene, status: 64)
        }
    }
}
