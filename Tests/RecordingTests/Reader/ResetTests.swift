import Testing

@testable import Recording

/// Resets that the receiver accepts, and others.
struct ResetTests {
    private static let handshake: [Packet] = [
        .client(99, .syn), .server(499, [.syn, .ack], ack: 100), .client(100, .ack, ack: 500),
    ]

    @Test(arguments: [5_000_500, 500 &- 70_000, 0x8000_0000, 600_000] as [UInt32])
    func resetOutsideTheWindow_changesNothing(sequence: UInt32) {
        let reading = Reading(Self.handshake + [.server(sequence, .rst)] + greeting[2...])
        #expect(reading.pieces == ["1 up hello", "1 down world"])
        #expect(reading.conversations.map(\.reason) == ["client_closed"])
    }

    @Test func dataOnItsWay_isShownAfterTheReset() {
        let reading = Reading(
            Self.handshake + [
                .client(100, .ack, "one", ack: 500), .server(500, .rst), .client(103, .ack, "two", ack: 500),
                // The resetting side sent this before the reset; it was captured late.
                .client(106, .ack, "three", ack: 500),
            ])
        #expect(reading.pieces == ["1 up one", "1 up two", "1 up three"])
        #expect(reading.conversations.map(\.reason) == ["upstream_reset"])
        #expect(reading.opened == 1)
    }

    @Test func forgedResetInTheWindow_doesNotEndAConversationThatGoesOn() {
        let reading = Reading(
            Self.handshake + [.server(500, .rst), .client(100, .rst)] + greeting[2...])
        #expect(reading.pieces == ["1 up hello", "1 down world"])
        #expect(reading.conversations.map(\.reason) == ["client_closed"])
    }

    @Test func dataLongAfterAReset_isCounted() {
        let late = Packet.client(100, .ack, "late", ack: 500)
        let packets = Self.handshake + [.server(500, .rst), late, late]
        let reading = Reading(packets, milliseconds: [0, 1, 2, 3, 20_000, 20_001])
        #expect(reading.pieces == [])
        #expect(reading.skipped.packets == [.afterEnd: 2] && reading.skipped.bytesAfterEnd == 8)
        #expect(reading.conversations.map(\.reason) == ["upstream_reset"])
    }

    @Test func dataBeyondBothFINs_isCounted() {
        let reading = Reading(greeting + [.client(106, .ack, "more", ack: 506), .client(100, .ack, "hello", ack: 500)])
        #expect(reading.pieces == ["1 up hello", "1 down world"])
        #expect(reading.skipped.packets == [.afterEnd: 1] && reading.skipped.bytesAfterEnd == 4)
    }

    @Test func synWithoutItsNumber_isNotRefused() {
        // RFC 9293, section 3.10.7.3: a reset in SYN-SENT has to acknowledge the SYN.
        for reset in [Packet.server(0, .rst), .server(0, [.rst, .ack], ack: 5000)] {
            let reading = Reading([.client(99, .syn), reset] + greeting[1...])
            #expect(reading.pieces == ["1 up hello", "1 down world"])
            #expect(reading.conversations.map(\.reason) == ["client_closed"])
        }
    }

    @Test func resetAtAnAcknowledgedNumber_counts_alsoWithDataBehindIt() {
        // A closed socket resets with the number that the segment acknowledged.
        let reading = Reading(
            Self.handshake + [
                .client(100, .ack, "one", ack: 500), .client(103, .ack, "two", ack: 500), .server(500, .ack, ack: 103),
                .client(103, [.rst, .ack], ack: 500),
            ])
        #expect(reading.conversations.map(\.reason) == ["client_reset"])
        #expect(reading.pieces == ["1 up one", "1 up two"])
    }

    @Test func reusedPortsAfterAReset_areAnotherConversation() {
        let again: [Packet] = [
            .client(7000, .syn), .server(8000, [.syn, .ack], ack: 7001), .client(7001, .ack, "again", ack: 8001),
        ]
        let reading = Reading(Self.handshake + [.server(500, .rst)] + again)
        #expect(reading.pieces == ["2 up again"])
        #expect(reading.conversations.map(\.reason) == ["upstream_reset", nil])
    }

    @Test func manyResets_areBounded() {
        var limits = ReassemblyLimits()
        limits.closed = 10
        let packets = (1..<100 as Range<UInt16>).flatMap { port -> [Packet] in
            [.client(99, .syn, port: port), .server(0, [.rst, .ack], ack: 100, port: port)]
        }
        let reading = Reading(packets, limits: limits)
        #expect(reading.conversations.count == 99)
        #expect(reading.conversations.allSatisfy { $0.reason == "connect_refused" })
    }
}

/// SYNs that are late, repeated or from an earlier connection.
struct LateSYNTests {
    private func expectOne(_ packets: [Packet], _ pieces: [String] = ["1 up hello", "1 down world"]) {
        let reading = Reading(packets)
        #expect(reading.opened == 1)
        #expect(reading.pieces == pieces)
        #expect(reading.conversations.map(\.reason) == ["client_closed"])
    }

    @Test func copiesOfTheSYNsAfterTheEnd_makeNoConversation() {
        expectOne(greeting + [greeting[0]])
        expectOne(greeting + [greeting[1]])
        expectOne(greeting + [greeting[0], greeting[1], greeting[2].withoutData, greeting[6]])
    }

    @Test func synOvertakenByTheSecondSegment_isTheSameConversation() {
        let packets: [Packet] = [
            .client(105, .ack, "more", ack: 500), .client(99, .syn), .server(499, [.syn, .ack], ack: 100),
        ]
        let reading = Reading(packets)
        #expect(reading.opened == 1 && reading.pieces == ["1 up more"])
        #expect(reading.conversations[0].hasStart)
        // The SYN-ACK alone gives the start of the client's flow.
        let answered = Reading([packets[2], packets[0], .client(100, .ack, "hello", ack: 500)])
        #expect(answered.pieces == ["1 up hello", "1 up more"])
    }

    @Test func synOfAnEarlierConnection_changesNothing() {
        expectOne(Array(greeting[..<3]) + [.client(900_000_000, .syn)] + greeting[3...])
        expectOne(Array(greeting[..<4]) + [.server(900_000_000, [.syn, .ack], ack: 77)] + greeting[4...])
    }

    @Test func copyOfTheAnswer_behindAnEarlierConnectionsSYN_changesNothing() {
        expectOne(Array(greeting[..<3]) + [.client(900_000_000, .syn), greeting[1]] + greeting[3...])
    }

    @Test func answerWithAnotherNumber_isTheSameConversation() {
        expectOne([greeting[0], .server(7777, [.syn, .ack], ack: 100)] + greeting[1...])
        expectOne(greeting[..<4] + [.server(7777, [.syn, .ack], ack: 100)] + greeting[4...])
    }

    @Test func replayOfTheWholeConversation_isAnotherOne() {
        let reading = Reading(greeting + greeting)
        #expect(reading.pieces == ["1 up hello", "1 down world", "2 up hello", "2 down world"])
        #expect(reading.conversations.map(\.hasStart) == [true, true])
    }

    @Test func unansweredSYNOnUsedPorts_isAConversation() {
        let reading = Reading(greeting[..<4] + [.client(900_000_000, .syn)])
        #expect(reading.opened == 2)
        let refused = Reading(
            greeting[..<4] + [.client(900_000_000, .syn), .server(0, [.rst, .ack], ack: 900_000_001)])
        #expect(refused.conversations.map(\.reason) == [nil, "connect_refused"])
    }

    @Test func dataOfALaterConnection_whoseSYNIsMissing_isShown() {
        let reading = Reading(greeting + [.client(900_000_000, .ack, "other", ack: 5)])
        #expect(reading.pieces == ["1 up hello", "1 down world", "2 up other"])
    }
}

extension Packet {
    fileprivate var withoutData: Packet {
        var packet = self
        packet.payload = []
        return packet
    }
}
