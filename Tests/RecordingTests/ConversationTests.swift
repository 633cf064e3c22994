import Recording
import Sockets
import Testing

struct ConversationTests {
    private func relative(_ capture: Capture) -> [String] {
        let upFirst = capture.segments.first { $0.direction == .up && $0.flags.contains(.syn) }?.sequence ?? 0
        let downFirst = capture.segments.first { $0.direction == .down && $0.flags.contains(.syn) }?.sequence ?? 0
        return capture.segments.map { segment in
            let isUp = segment.direction == .up
            var flags = ""
            for (flag, letter) in [
                (Segment.Flags.syn, "S"), (.fin, "F"), (.rst, "R"), (.psh, "P"), (.ack, "A"),
            ] where segment.flags.contains(flag) { flags += letter }
            let sequence = segment.sequence &- (isUp ? upFirst : downFirst)
            let acknowledged = segment.acknowledgement &- (isUp ? downFirst : upFirst)
            let acknowledgement = segment.flags.contains(.ack) ? " ack \(acknowledged)" : ""
            return "\(isUp ? "up" : "down") \(flags) \(sequence)+\(segment.payloadCount)\(acknowledgement)"
        }
    }

    @Test func aWholeConversation_hasNumbersThatAgree() throws {
        let conversation = try Capture.conversation()
        var capture = Capture()
        capture.open(conversation)
        capture.data(conversation, .up, Array(repeating: 1, count: 10))
        capture.data(conversation, .down, Array(repeating: 2, count: 70_000))
        capture.finish(conversation, .up)
        capture.data(conversation, .down, [3])
        capture.finish(conversation, .down)
        capture.close(conversation, "client_closed", by: "client")
        #expect(
            relative(capture) == [
                "up S 0+0", "down SA 0+0 ack 1", "up A 1+0 ack 1", "up PA 1+10 ack 1", "down PA 1+65495 ack 11",
                "up A 11+0 ack 65496", "down PA 65496+4505 ack 11", "up FA 11+0 ack 70001", "down PA 70001+1 ack 12",
                "up A 12+0 ack 70002",
                "down FA 70002+0 ack 12", "up A 12+0 ack 70003",
            ])
        #expect(capture.segments.last?.occasion == .ended)
        #expect(capture.segments.filter(\.isLast).count == 1)
    }

    @Test func aReceiver_acknowledgesBeforeMoreThan256KiBAreOpen() throws {
        let conversation = try Capture.conversation()
        var capture = Capture()
        capture.open(conversation)
        for count in [1, 65_495, 65_496, 100_000, 1_000_000, 262_144] {
            capture.data(conversation, .down, Array(repeating: 7, count: count))
        }
        var (sent, acknowledged) = (UInt32(1), UInt32(1))
        let first = try #require(capture.segments.first { $0.direction == .down }).sequence
        for segment in capture.segments.dropFirst(3) {
            if segment.direction == .down {
                #expect(segment.sequence &- first == sent)
                #expect(segment.payloadCount > 0 && segment.payloadCount <= 65_495)
                sent += UInt32(segment.payloadCount)
                #expect(sent - acknowledged <= 256 * 1024)
            } else {
                #expect(segment.flags == [.ack] && segment.acknowledgement &- first == sent)
                #expect(sent > acknowledged, "an acknowledgement of nothing is a duplicate")
                acknowledged = sent
            }
        }
        #expect(sent == 1 + 1 + 65_495 + 65_496 + 100_000 + 1_000_000 + 262_144)
    }

    @Test func numbers_wrapAt4GiB() throws {
        let conversation = try Capture.conversation()
        let initial = conversation.accepted().sequence
        let resumed = try Capture.conversation()
        resumed.resumed(upOffset: (1 << 32) - 10, downOffset: 5 << 32, isConnected: true)
        var cursor = resumed.beginData(direction: .up, offset: (1 << 32) - 10, count: 20, time: 0)
        let firstMade = resumed.next(&cursor)
        let first = try #require(firstMade)
        #expect(first.sequence == initial &+ 1 &- 10)
        let none = resumed.next(&cursor)
        #expect(none == nil)
        #expect(first.offset == (1 << 32) - 10 && first.isJoining)
        cursor = resumed.beginData(direction: .up, offset: (1 << 32) + 10, count: 1, time: 0)
        let secondMade = resumed.next(&cursor)
        let second = try #require(secondMade)
        #expect(second.sequence == initial &+ 1 &+ 10)
        #expect(second.gapBytes == 0 && !second.isJoining)
    }

    @Test func gap_advancesTheNumbersAndIsReportedOnce() throws {
        let conversation = try Capture.conversation()
        var capture = Capture()
        capture.open(conversation)
        capture.data(conversation, .up, [1, 2, 3])
        capture.data(conversation, .up, Array(repeating: 4, count: 65_500), gap: 300_000)
        let data = capture.segments.filter { $0.payloadCount > 0 }
        #expect(data.map(\.gapBytes) == [0, 300_000, 0])
        #expect(data.map(\.gapSegments) == [0, 5, 0])
        #expect(data[1].sequence &- data[0].sequence == 300_003)
        #expect(data[2].sequence &- data[1].sequence == 65_495)
        #expect(capture.segments.count == 6, "no acknowledgement of what no segment showed")
    }

    @Test(arguments: [
        ("client_reset", "client", "up RA 1+0 ack 1"), ("upstream_reset", "upstream", "down RA 1+0 ack 1"),
        ("idle_timeout", "tapline", "down RA 1+0 ack 1"),
    ])
    func reset_comesFromTheSideThatEndedIt(reason: String, closedBy: String, expected: String) throws {
        let conversation = try Capture.conversation()
        var capture = Capture()
        capture.open(conversation)
        capture.close(conversation, reason, by: closedBy)
        #expect(relative(capture).dropFirst(3) == [expected])
    }

    @Test(arguments: [
        ("connect_refused", "upstream", Segment.Flags([.rst, .ack])), ("client_reset", "client", Segment.Flags([.rst])),
        ("connect_timeout", "tapline", Segment.Flags([.rst, .ack])),
    ])
    func anEndBeforeTheUpstream_isSYNThenRST(reason: String, closedBy: String, flags: Segment.Flags) throws {
        let conversation = try Capture.conversation()
        var capture = Capture()
        capture.append(conversation.accepted(), of: conversation)
        capture.close(conversation, reason, by: closedBy)
        let (syn, reset) = (capture.segments[0], try #require(capture.segments.last))
        #expect(capture.segments.count == 2 && reset.flags == flags)
        #expect(reset.direction == .down ? reset.sequence == 0 : reset.sequence == syn.sequence &+ 1)
        #expect(reset.acknowledgement == (flags.contains(.ack) ? syn.sequence &+ 1 : 0))
    }

    @Test func orderlyEnd_addsTheMissingFINs() throws {
        let conversation = try Capture.conversation()
        var capture = Capture()
        capture.open(conversation)
        capture.close(conversation, "upstream_closed", by: "upstream")
        #expect(relative(capture).suffix(3) == ["down FA 1+0 ack 1", "up FA 1+0 ack 2", "down A 2+0 ack 2"])
    }

    @Test func aSecondFIN_doesNotCome() throws {
        let conversation = try Capture.conversation()
        var capture = Capture()
        capture.open(conversation)
        capture.finish(conversation, .up)
        let again = conversation.ended(direction: .up, time: 0)
        #expect(again.acknowledgement == nil && again.fin == nil)
    }

    @Test func bytesMissingAtTheEnd_areAGapBeforeTheFIN() throws {
        let conversation = try Capture.conversation()
        var capture = Capture()
        capture.open(conversation)
        capture.data(conversation, .up, [1])
        let (acknowledgement, fin) = conversation.ended(direction: .up, offset: 101, time: 0)
        let data = try #require(capture.segments.last)
        #expect(acknowledgement?.acknowledgement == data.sequence &+ 1)
        #expect(fin?.gapBytes == 100 && fin?.sequence == data.sequence &+ 101)
    }

    @Test func twoWriters_makeTheSameNumbers() throws {
        let (first, second) = (try Capture.conversation(), try Capture.conversation())
        let (one, two) = (first.accepted(), second.accepted())
        #expect(one == two)
        let other = try Capture.conversation(8)
        let three = other.accepted()
        #expect(three.sequence != one.sequence)
    }
}
