import Recording
import Sockets
import TestSupport
import Testing

/// Wireshark reads recordings without faults and with every byte in place.
struct WiresharkTests {
    /// Bytes that no dissector recognises.
    private func noise(_ count: Int, seed: UInt64) -> [UInt8] {
        var numbers = SeededRandom(seed: seed)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: numbers.next() >> 20) }
    }

    @Test(arguments: [("198.51.100.9", "127.0.0.1"), ("2001:db8::9", "::1")])
    func aConversation_isCompleteAndItsBytesAreRight(client: String, local: String) async throws {
        let conversation = try Capture.conversation(client: client, local: local, port: 7777)
        var capture = Capture()
        capture.open(conversation)
        var (up, down): ([UInt8], [UInt8]) = ([], [])
        let counts = [1, 64, 40, 65_535, 65_495, 300_000, 7, 65_536, 1_000_001]
        for (round, count) in counts.enumerated() {
            let (request, answer) = (noise(count, seed: 1), noise(counts[counts.count - 1 - round], seed: 2))
            capture.data(conversation, .up, request, time: Int64(round) * 1_000_000)
            capture.data(conversation, .down, answer, time: Int64(round) * 1_000_000 + 1)
            up += request
            down += answer
        }
        capture.finish(conversation, .up)
        capture.finish(conversation, .down)
        capture.close(conversation, "client_closed", by: "client")
        capture.end()
        try await Wireshark.onFile(capture.bytes) { path async throws in
            #expect(try await Wireshark.faults(path) == [])
            #expect(try await Wireshark.completeness(path) == ["0": 31])
            let followed = try await Wireshark.follow(path)
            #expect(followed.up == up && followed.down == down)
            let statuses = try await Wireshark.fields(path, ["tcp.checksum.status"])
            #expect(statuses.count == capture.segments.count && statuses.allSatisfy { $0 == ["1"] })
        }
    }

    /// The sizes of the first segments, from either side: windows are scaled only after the handshake.
    @Test(arguments: [1, 40, 65_495, 65_534, 65_535, 65_536, 131_070, 262_144])
    func aFirstMessageOfAnySize_fillsNoWindow(count: Int) async throws {
        var capture = Capture()
        for (id, direction) in [(1, Direction.up), (2, .down)] as [(UInt64, Direction)] {
            let conversation = try Capture.conversation(id, port: 7777)
            capture.open(conversation)
            capture.data(conversation, direction, noise(count, seed: 3))
            capture.close(conversation, "client_closed", by: "client")
        }
        try await Wireshark.onFile(capture.bytes) { path async throws in
            #expect(try await Wireshark.faults(path) == [])
            #expect(try await Wireshark.completeness(path) == ["0": 31, "1": 31])
        }
    }

    @Test func endsOfEveryKind_haveTheCompletenessThatTheyShould() async throws {
        var capture = Capture()
        var expected: [String: Int] = [:]
        let ends = [
            ("client_closed", "client", 31, 23), ("upstream_closed", "upstream", 31, 23),
            ("client_reset", "client", 47, 39), ("upstream_reset", "upstream", 47, 39),
            ("idle_timeout", "tapline", 47, 39), ("killed", "tapline", 47, 39),
        ]
        var id: UInt64 = 0
        for (reason, closedBy, withData, without) in ends {
            for hasData in [true, false] {
                let conversation = try Capture.conversation(id, port: 7777)
                capture.open(conversation)
                if hasData { capture.data(conversation, .up, [1, 2, 3]) }
                capture.close(conversation, reason, by: closedBy)
                expected["\(id)"] = hasData ? withData : without
                id += 1
            }
        }
        // A reset in reply to a SYN acknowledges it; a client that gives up has nothing to acknowledge.
        for (reason, closedBy, without) in [
            ("connect_refused", "upstream", 37), ("client_reset", "client", 33), ("loop", "tapline", 37),
        ] {
            let conversation = try Capture.conversation(id, port: 7777)
            capture.append(conversation.accepted(), of: conversation)
            capture.close(conversation, reason, by: closedBy)
            expected["\(id)"] = without
            id += 1
        }
        capture.end()
        try await Wireshark.onFile(capture.bytes) { path async throws in
            #expect(try await Wireshark.faults(path) == [])
            let found = try await Wireshark.completeness(path)
            #expect(found == expected)
            let comments = try await Wireshark.fields(path, ["frame.comment"], filter: "tcp.flags.reset == 1")
            #expect(comments.count == 11)
            #expect(comments.allSatisfy { RecordingComment($0[0])?.kind == .ended })
        }
    }

    @Test func aHalfClose_leavesTheOtherFlowOpen() async throws {
        let conversation = try Capture.conversation(port: 7777)
        var capture = Capture()
        capture.open(conversation)
        capture.data(conversation, .up, noise(10, seed: 1))
        capture.finish(conversation, .up, time: 2500)
        let answer = noise(900_000, seed: 2)
        capture.data(conversation, .down, answer, time: 1_500_000_000)
        capture.finish(conversation, .down, time: 1_600_000_000)
        capture.close(conversation, "client_closed", by: "client")
        try await Wireshark.onFile(capture.bytes) { path async throws in
            #expect(try await Wireshark.faults(path) == [])
            #expect(try await Wireshark.completeness(path) == ["0": 31])
            #expect(try await Wireshark.follow(path).down == answer)
        }
    }

    /// The next acknowledgement covers bytes that no segment had, and is also marked once.
    @Test func gap_isALostSegmentAndNothingElse() async throws {
        let conversation = try Capture.conversation(port: 7777)
        var capture = Capture()
        capture.open(conversation)
        capture.data(conversation, .up, noise(1000, seed: 1))
        capture.data(conversation, .up, noise(500_000, seed: 2), gap: 300_000)
        capture.data(conversation, .down, noise(10, seed: 3))
        capture.close(conversation, "client_closed", by: "client", dropped: 300_000)
        try await Wireshark.onFile(capture.bytes) { path async throws in
            let flagged = try await Wireshark.fields(
                path, ["_ws.expert.message", "frame.comment"], filter: "tcp.analysis.flags")
            #expect(flagged.count == 2, "\(flagged)")
            #expect(RecordingComment(flagged.first?.last ?? "")?.droppedBytes == 300_000)
            let lost = try await Wireshark.fields(path, ["frame.number"], filter: "tcp.analysis.lost_segment")
            let acknowledged = try await Wireshark.fields(
                path, ["frame.number"], filter: "tcp.analysis.ack_lost_segment")
            #expect(lost == [["5"]] && acknowledged.count == 1)
        }
    }

    @Test func aConversationPast4GiB_hasNoFault() async throws {
        let conversation = try Capture.conversation(port: 7777)
        conversation.resumed(upOffset: (3 << 32) - 100_000, downOffset: (1 << 32) - 1, isConnected: true)
        var capture = Capture()
        let (up, down) = (noise(700_000, seed: 1), noise(700_000, seed: 2))
        capture.data(conversation, .up, up)
        capture.data(conversation, .down, down)
        capture.close(conversation, "client_closed", by: "client")
        try await Wireshark.onFile(capture.bytes) { path async throws in
            #expect(try await Wireshark.faults(path) == [])
            let followed = try await Wireshark.follow(path)
            #expect(followed.up == up && followed.down == down)
        }
    }

    @Test func numbersThatWrapInOneFile_haveNoFault() async throws {
        // An ID whose initial client number wraps after a few hundred KiB.
        var id: UInt64 = 0
        var conversation = try Capture.conversation(id, port: 7777)
        while conversation.accepted().sequence < UInt32.max - 500_000 {
            id += 1
            conversation = try Capture.conversation(id, port: 7777)
        }
        var capture = Capture()
        capture.open(conversation)
        let up = noise(1_200_000, seed: 1)
        capture.data(conversation, .up, up)
        capture.close(conversation, "upstream_closed", by: "upstream")
        try await Wireshark.onFile(capture.bytes) { path async throws in
            #expect(try await Wireshark.faults(path) == [])
            #expect(try await Wireshark.completeness(path) == ["0": 31])
            #expect(try await Wireshark.follow(path).up == up)
        }
    }

    @Test func aRecordingThatStops_marksOpenConversationsWithoutAFault() async throws {
        var capture = Capture()
        for id in 0..<5 as Range<UInt64> {
            let conversation = try Capture.conversation(id, port: 7777)
            switch id {
            case 0: capture.append(conversation.accepted(), of: conversation)
            case 1: capture.open(conversation)
            case 2:
                capture.open(conversation)
                capture.data(conversation, .up, [1])
            case 3:
                capture.open(conversation)
                capture.data(conversation, .down, [1])
                capture.finish(conversation, .up)
            default:
                conversation.resumed(upOffset: 5, downOffset: 6, isConnected: true)
            }
            capture.append(conversation.stopped(time: Capture.start + 5000), of: conversation)
        }
        capture.end()
        try await Wireshark.onFile(capture.bytes) { path async throws in
            #expect(try await Wireshark.faults(path) == [])
            let comments = try await Wireshark.fields(
                path, ["frame.comment"], filter: #"frame.comment contains "stops""#)
            #expect(comments.count == 5)
        }
    }

    @Test func rotation_leavesFilesThatAreCompleteByThemselves() async throws {
        let conversation = try Capture.conversation(port: 7777)
        var first = Capture()
        first.open(conversation)
        first.data(conversation, .up, noise(400_000, seed: 1))
        first.end()
        var second = Capture(kind: .continuation)
        let (up, down) = (noise(400_000, seed: 2), noise(5, seed: 3))
        second.data(conversation, .up, up)
        second.data(conversation, .down, down)
        second.close(conversation, "client_closed", by: "client")
        second.end()
        for capture in [first, second] {
            try await Wireshark.onFile(capture.bytes) { path async throws in
                #expect(try await Wireshark.faults(path) == [])
            }
        }
        try await Wireshark.onFile(second.bytes) { path async throws in
            let followed = try await Wireshark.follow(path)
            #expect(followed.up == up && followed.down == down)
        }
    }

    @Test func dissectors_arePickedByTheUpstreamsPort() async throws {
        var capture = Capture()
        let web = try Capture.conversation(1)
        capture.open(web)
        for path in ["/", "/two", "/three"] {
            capture.data(web, .up, Array("GET \(path) HTTP/1.1\r\nHost: example.com\r\n\r\n".utf8))
            capture.data(web, .down, Array("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".utf8))
        }
        capture.close(web, "client_closed", by: "client")
        let redis = try Capture.conversation(2, port: 6379, name: nil)
        capture.open(redis)
        capture.data(redis, .up, Array("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n".utf8))
        capture.data(redis, .down, Array("$5\r\nvalue\r\n".utf8))
        capture.close(redis, "upstream_closed", by: "upstream")
        try await Wireshark.onFile(capture.bytes) { path async throws in
            #expect(try await Wireshark.faults(path) == [])
            let requests = try await Wireshark.fields(path, ["http.request.uri"], filter: "http.request")
            #expect(requests == [["/"], ["/two"], ["/three"]])
            #expect(try await Wireshark.fields(path, ["http.response.code"], filter: "http.response").count == 3)
            #expect(try await Wireshark.fields(path, ["frame.protocols"], filter: "resp").count == 2)
        }
    }

    @Test func capinfos_readsTheCounters() async throws {
        let conversation = try Capture.conversation()
        var capture = Capture()
        capture.open(conversation)
        capture.data(conversation, .up, noise(100, seed: 1))
        capture.data(conversation, .up, noise(100, seed: 1), gap: 1)
        capture.close(conversation, "killed", by: "tapline", dropped: 1)
        capture.end()
        try await Wireshark.onFile(capture.bytes) { path async throws in
            let lines = try await Wireshark.lines("capinfos", [path]).map { line in
                line.split(separator: " ").joined(separator: " ")
            }
            for expected in [
                "Capture application: tapline test", "Capture oper-sys: Linux", "Number of packets: 6",
                "Name = web 127.0.0.1:8080", "Description = to example.com:80", "Encapsulation = Raw IP (7 - rawip)",
                "Time resolution = 0x09", "Number of packets = 6", "Strict time order: True",
            ] {
                #expect(lines.contains(expected), "\(expected) in \(lines)")
            }
        }
    }
}
