import Sockets
import TestSupport
import Testing

@testable import Recording

/// The reader returns what the writer wrote.
struct RoundTripTests {
    private func read(_ capture: Capture) -> Reading {
        let reading = Reading(capture.bytes, piece: 1000)
        #expect(reading.error == nil && reading.unread == 0 && reading.skipped == SkippedPackets())
        return reading
    }

    @Test(arguments: [("198.51.100.9", "127.0.0.1"), ("2001:db8::9", "::1"), ("198.51.100.9", "::1")])
    func conversation_comesBackWithAllThatIsKnownOfIt(client: String, local: String) throws {
        var capture = Capture()
        let conversation = try Capture.conversation(7, client: client, local: local)
        capture.open(conversation)
        capture.data(conversation, .up, Array("GET / HTTP/1.1\r\n\r\n".utf8))
        capture.data(conversation, .down, Array("HTTP/1.1 204 No\r\n\r\n".utf8))
        capture.finish(conversation, .down)
        capture.finish(conversation, .up)
        capture.close(conversation, "upstream_closed", by: "upstream")
        capture.end()
        let reading = read(capture)
        #expect(reading.pieces == ["7 up GET / HTTP/1.1\r\n\r\n", "7 down HTTP/1.1 204 No\r\n\r\n"])
        let one = try #require(reading.conversations.first)
        #expect(reading.conversations.count == 1)
        #expect(one.isTaplines && one.hasStart && one.relay == "web" && one.upstream == "example.com:80")
        #expect(one.client == "\(conversation.origin.client)" && one.listener == "\(conversation.origin.listener)")
        #expect(one.upstreamAddress == "192.0.2.80:80")
        #expect(one.reason == "upstream_closed" && one.duration == 4000)
        #expect(one.up.passed == 18 && one.down.passed == 19 && one.up.missing == 0)
        #expect("\(one.protocol)" == "HTTP GET / 204")
    }

    @Test func bulk_comesBackToTheByte() throws {
        var capture = Capture()
        let conversation = try Capture.conversation()
        let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
        capture.open(conversation)
        capture.data(conversation, .down, bytes)
        capture.close(conversation, "client_reset", by: "client")
        let reader = RecordingReader()
        reader.append(capture.bytes)
        try reader.finish()
        var back: [UInt8] = []
        while let event = try reader.next() {
            if case .bytes(let piece) = event { back += piece.bytes }
        }
        #expect(back == bytes)
    }

    @Test func gaps_comeBackWhereverTheyAre() throws {
        var capture = Capture()
        let conversation = try Capture.conversation()
        capture.open(conversation)
        capture.data(conversation, .up, Array("a".utf8))
        capture.data(conversation, .up, Array("b".utf8), gap: 10)
        capture.data(conversation, .up, Array("c".utf8), gap: 5 << 32)
        let end = ConversationEnd(
            time: Capture.start + 9000, reason: "killed", closedBy: "tapline", errno: nil,
            bytesUp: conversation.passed(.up), bytesDown: 20, recordedBytes: 3, droppedBytes: 30 + 5 << 32)
        for segment in conversation.closed(end) { capture.append(segment, of: conversation) }
        let reading = read(capture)
        #expect(
            reading.pieces == ["7 up a", "7 up -10", "7 up b", "7 up -\(5 << 32 as UInt64)", "7 up c", "7 down -20"])
        #expect(reading.conversations.map(\.reason) == ["killed"])
    }

    @Test func recordingFromTheMiddle_hasItsClientAndItsTotals() throws {
        var capture = Capture()
        let conversation = try Capture.conversation(port: 60_000)
        conversation.resumed(upOffset: 1000, downOffset: 5000, isConnected: true)
        capture.data(conversation, .down, Array("answer".utf8))
        capture.data(conversation, .up, Array("thanks".utf8))
        capture.close(conversation, "client_reset", by: "client")
        let reading = read(capture)
        #expect(reading.pieces == ["7 down answer", "7 up thanks"])
        let one = try #require(reading.conversations.first)
        #expect(!one.hasStart && one.client == "\(conversation.origin.client)")
        #expect(one.up.passed == 1006 && one.up.recorded == 6 && one.down.passed == 5006)
    }

    @Test func gapAtTheStartOfARecordingFromTheMiddle_losesNothingThatIsThere() throws {
        var capture = Capture()
        let conversation = try Capture.conversation()
        conversation.resumed(upOffset: 1000, downOffset: 5000, isConnected: true)
        capture.data(conversation, .down, Array("answer".utf8), gap: 100)
        #expect(read(capture).pieces == ["7 down -100", "7 down answer"])
    }

    @Test func refusal_isTheReasonThatWasRecorded() throws {
        var capture = Capture()
        let conversation = try Capture.conversation()
        capture.append(conversation.accepted(), of: conversation)
        capture.close(conversation, "connect_refused", by: "upstream", errno: "ECONNREFUSED")
        #expect(read(capture).conversations.map(\.reason) == ["connect_refused"])
    }

    @Test func manyAtOnce_areDistinguished() throws {
        var capture = Capture()
        let conversations = try (1...200).map { try Capture.conversation($0) }
        for place in conversations.indices { capture.open(conversations[place]) }
        for round in 0..<3 {
            for place in conversations.indices {
                capture.data(conversations[place], round == 1 ? .down : .up, Array("\(place + 1).\(round)".utf8))
            }
        }
        for place in conversations.indices { capture.close(conversations[place], "client_closed", by: "client") }
        let reading = read(capture)
        #expect(reading.conversations.count == 200)
        #expect(reading.pieces.count == 600)
        for piece in reading.pieces {
            let words = piece.split(separator: " ")
            #expect(words[2].hasPrefix("\(words[0])."))
        }
    }
}
