import Recording
import Sockets
import Testing

struct PcapngOutputTests {
    @Test func aFile_isWholeBlocksInTheirOrder() throws {
        let conversation = try Capture.conversation()
        var capture = Capture()
        capture.open(conversation)
        for count in 1..<9 { capture.data(conversation, .up, Array(repeating: UInt8(count), count: count)) }
        capture.close(conversation, "client_closed", by: "client")
        capture.end()
        let file = try DecodedCapture(capture.bytes)
        #expect(file.blocks.prefix(5) == [0x0A0D_0D0A, 1, 6, 4, 6])
        #expect(file.blocks.last == 5)
        #expect(file.sectionOptions[4] == [Array("tapline test".utf8)])
        #expect(file.interfaces[0][2] == [Array("web 127.0.0.1:8080".utf8)])
        #expect(file.interfaces[0][3] == [Array("to example.com:80".utf8)])
        #expect(file.interfaces[0][9] == [[9]])
        #expect(file.names == ["example.com"])
        #expect(file.packets.map(\.payload.count).filter { $0 > 0 } == Array(1..<9))
        #expect(file.packets[0].time == UInt64(Capture.start))
        #expect(file.packets[0].tcpOptions == [2, 4, 0xFF, 0xD7, 1, 3, 3, 14])
        #expect(file.packets.allSatisfy { $0.direction == ($0.sourcePort == 80 ? 2 : 1) })
        #expect(file.statistics[0][4].map { DecodedCapture.little64($0[0]) } == UInt64(file.packets.count))
        #expect(file.statistics[0][5].map { DecodedCapture.little64($0[0]) } == 0)
        let comments = file.packets.flatMap(\.comments).compactMap { RecordingComment($0) }
        #expect(comments.map(\.kind) == [.opened, .connected, .ended])
        #expect(comments[0].listener == "127.0.0.1:8080" && comments[0].relay == "web")
        #expect(comments[1].upstreamAddress == "192.0.2.80:80")
        #expect(comments[2].reason == "client_closed" && comments[2].bytesUp == 36 && comments[2].bytesDown == 0)
    }

    @Test func everyPrefixOfAFile_losesOnlyItsLastBlock() throws {
        let conversation = try Capture.conversation()
        var capture = Capture()
        var boundaries = [capture.bytes.count]
        capture.append(conversation.accepted(), of: conversation)
        boundaries.append(capture.bytes.count)
        capture.close(conversation, "connect_refused", by: "upstream", errno: "ECONNREFUSED")
        for boundary in boundaries {
            #expect(throws: Never.self) { try DecodedCapture(Array(capture.bytes[..<boundary])) }
        }
        #expect(throws: DecodedCapture.Broken.self) { try DecodedCapture(Array(capture.bytes.dropLast())) }
    }

    @Test func interfaces_areOneForEachListenerAndNamesAreWrittenOnce() throws {
        var capture = Capture()
        for (id, local) in [(1, "127.0.0.1"), (2, "127.0.0.1"), (3, "::1")] as [(UInt64, String)] {
            let conversation = try Capture.conversation(id, client: local, local: local)
            capture.open(conversation)
        }
        let file = try DecodedCapture(capture.bytes)
        #expect(file.interfaces.count == 2)
        #expect(file.packets.map(\.interface) == [0, 0, 0, 0, 0, 0, 1, 1, 1])
        #expect(file.packets.map(\.isIPv6) == file.packets.map { $0.interface == 1 })
        #expect(file.names == ["example.com"])
    }

    @Test func unixSockets_haveTheirStandIn() throws {
        let id: UInt64 = 5 * 16384 + 300 * 16384 * 1 + 9
        let origin = ConversationOrigin(
            id: id, relay: "web", client: .unix(path: ""), listener: .unix(path: "/run/a.sock"),
            local: .unix(path: "/run/a.sock"), upstream: "unix:/run/b.sock", upstreamName: nil, upstreamPort: nil,
            accepted: 1)
        let conversation = Conversation(origin)
        var capture = Capture()
        capture.open(conversation, upstream: "/run/b.sock")
        let packet = try #require(try DecodedCapture(capture.bytes).packets.first)
        #expect(packet.source == [127, 85, 1, 49] && packet.sourcePort == 49152 + 9)
        #expect(packet.destination == [127, 0, 0, 1] && packet.destinationPort == 1)
        #expect(RecordingComment(packet.comments[0])?.client == "unix:")
    }

    @Test func gap_isCountedAndReported() throws {
        let conversation = try Capture.conversation()
        var capture = Capture()
        capture.open(conversation)
        capture.data(conversation, .up, [1])
        capture.data(conversation, .up, [2], gap: 70_000)
        capture.data(conversation, .up, [3])
        capture.end()
        let file = try DecodedCapture(capture.bytes)
        #expect(file.packets.suffix(3).map(\.dropCount) == [nil, 2, nil])
        let comment = try #require(file.packets[4].comments.first.flatMap { RecordingComment($0) })
        #expect(comment.kind == .gap && comment.droppedBytes == 70_000)
        #expect(file.statistics[0][5].map { DecodedCapture.little64($0[0]) } == 2)
        #expect(file.statistics[0][4].map { DecodedCapture.little64($0[0]) } == 8)
    }

    @Test func omittedBytes_areReportedByTheNextPacketOfTheInterfaceAndOfTheFlow() throws {
        let (one, two) = (try Capture.conversation(1), try Capture.conversation(2))
        var capture = Capture()
        capture.open(one)
        capture.open(two)
        var cursor = one.beginData(direction: .down, offset: 0, count: 100, time: Capture.start)
        #expect(one.next(&cursor) != nil)
        capture.output.dropped(one, direction: .down, bytes: 100, segments: 1)
        capture.data(two, .up, [1])
        capture.data(one, .up, [2])
        capture.data(one, .down, [3])
        capture.data(one, .down, [4])
        let packets = try DecodedCapture(capture.bytes).packets.suffix(4)
        #expect(packets.map(\.dropCount) == [1, nil, nil, nil])
        let gaps = packets.map { $0.comments.compactMap { RecordingComment($0)?.droppedBytes } }
        #expect(gaps == [[], [], [100], []])
    }

    @Test(arguments: [(PcapngOutput.Kind.continuation, RecordingComment.Kind.continued), (.first, .joined)])
    func fileThatAConversationDidNotBeginIn_hasTheBytesBefore(
        kind: PcapngOutput.Kind, expected: RecordingComment.Kind
    ) throws {
        let conversation = try Capture.conversation()
        var before = Capture()
        before.open(conversation)
        before.data(conversation, .up, [1, 2, 3])
        before.data(conversation, .down, [1, 2, 3, 4, 5])
        var after = Capture(kind: kind)
        after.data(conversation, .down, [6, 7])
        after.data(conversation, .down, [8])
        let file = try DecodedCapture(after.bytes)
        let comments = file.packets.flatMap(\.comments).compactMap { RecordingComment($0) }
        #expect(comments.map(\.kind) == [expected])
        #expect(comments[0].bytesUp == 3 && comments[0].bytesDown == 5)
        #expect(comments[0].upstreamAddress == "192.0.2.80:80")
        #expect(file.names == ["example.com"])
    }

    @Test func aStop_isSaidAndTheConversationCanBeJoinedAgain() throws {
        let conversation = try Capture.conversation()
        var capture = Capture()
        capture.open(conversation)
        capture.data(conversation, .up, [1, 2])
        capture.append(conversation.stopped(time: Capture.start), of: conversation)
        let again = Conversation(conversation.origin)
        again.resumed(upOffset: 10, downOffset: 20, isConnected: true)
        capture.data(again, .down, [9])
        let comments = try DecodedCapture(capture.bytes).packets.flatMap(\.comments).compactMap { RecordingComment($0) }
        #expect(comments.map(\.kind) == [.opened, .connected, .stopped, .joined])
        #expect(comments[2].bytesUp == 2 && comments[3].bytesUp == 10 && comments[3].bytesDown == 20)
    }
}
