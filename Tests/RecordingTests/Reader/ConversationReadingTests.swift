import Testing

@testable import Recording

/// The assignment of segments to conversations: their starts, ends and Tapline's comments.
struct ConversationReadingTests {
    @Test func wholeConversation_hasItsAddressesTimesAndEnd() throws {
        let reading = Reading(greeting)
        #expect(reading.pieces == ["1 up hello", "1 down world"])
        let one = try #require(reading.conversations.first)
        #expect(one.client == "10.0.0.1:40000")
        #expect(one.listener == "10.0.0.2:80")
        #expect(one.hasStart && !one.isTaplines && one.relay == nil && one.upstream == nil)
        #expect((one.up.recorded, one.down.recorded, one.up.missing, one.down.missing) == (5, 5, 0, 0))
        #expect(one.reason == "client_closed")
        // The last acknowledgement is after the end.
        #expect(one.duration == 5_000_000)
        #expect(one.up.prefix == Array("hello".utf8))
    }

    @Test(
        arguments: [
            ([.server(500, [.fin, .ack]), .client(100, [.fin, .ack])], "upstream_closed"),
            ([.client(100, [.fin, .ack]), .server(500, [.fin, .ack])], "client_closed"),
            ([.client(100, .rst)], "client_reset"),
            ([.server(500, .rst)], "upstream_reset"),
            // A reset of an open flow is a reset, also after a FIN.
            ([.client(100, [.fin, .ack]), .client(101, .rst)], "client_reset"),
            ([.client(100, [.fin, .ack]), .server(500, [.rst, .ack])], "upstream_reset"),
            ([.client(100, [.fin, .ack]), .server(500, [.fin, .ack]), .client(101, .rst)], "client_closed"),
            // One FIN is not an end.
            ([.client(100, [.fin, .ack])], nil), ([], nil),
        ] as [([Packet], String?)])
    func end_followsFromTheOrderOfFINAndRST(packets: [Packet], reason: String?) {
        let opening: [Packet] = [.client(99, .syn), .server(499, [.syn, .ack], ack: 100)]
        let reading = Reading(opening + packets)
        #expect(reading.conversations.map(\.reason) == [reason])
    }

    @Test func synAnsweredByReset_isARefusal() {
        #expect(
            Reading([.client(99, .syn), .server(0, [.rst, .ack], ack: 100)]).conversations[0].reason
                == "connect_refused")
    }

    @Test func handshakeOutOfOrder_isTheSameConversation() {
        for order in [[1, 0, 2, 3, 4, 5, 6], [2, 0, 1, 3, 4, 5, 6], [0, 2, 1, 3, 5, 4, 6], [3, 1, 0, 2, 4, 5, 6]] {
            let reading = Reading(order.map { greeting[$0] })
            #expect(reading.opened == 1, "\(order)")
            #expect(Set(reading.pieces) == ["1 up hello", "1 down world"], "\(order)")
            #expect(reading.conversations[0].client == "10.0.0.1:40000", "\(order)")
        }
    }

    @Test func repeatedPackets_areReportedOnce() {
        let reading = Reading(greeting.flatMap { [$0, $0] })
        #expect(reading.pieces == ["1 up hello", "1 down world"])
        #expect(reading.opened == 1)
    }

    @Test func captureFromTheMiddle_isReadFromThere() throws {
        let reading = Reading([
            .server(700_000, .ack, "answer", ack: 5000), .client(5000, .ack, "thanks", ack: 700_006),
        ])
        #expect(reading.pieces == ["1 down answer", "1 up thanks"])
        let one = try #require(reading.conversations.first)
        #expect(one.client == "10.0.0.1:40000" && !one.hasStart && one.reason == nil)
    }

    @Test func acknowledgementsAlone_areNoConversation() {
        #expect(Reading([.client(5, .ack, ack: 9), .server(9, .ack, ack: 5), .client(5, .rst)]).opened == 0)
    }

    @Test func reusedPorts_areAnotherConversation() {
        let again: [Packet] = [
            .client(7000, .syn), .server(8000, [.syn, .ack], ack: 7001), .client(7001, .ack, "again", ack: 8001),
        ]
        // After an end and without one.
        #expect(Reading(greeting + again).pieces == ["1 up hello", "1 down world", "2 up again"])
        let reading = Reading(Array(greeting[..<4]) + again)
        #expect(reading.pieces == ["1 up hello", "1 down world", "2 up again"])
        #expect(reading.conversations.map(\.reason) == [nil, nil])
        #expect(reading.conversations[1].up.prefix == Array("again".utf8))
    }

    @Test func missingBytes_areReportedAndCounted() {
        let reading = Reading([
            .client(99, .syn), .server(499, [.syn, .ack], ack: 100), .client(100, .ack, "one"),
            .client(110, .ack, "two"), .client(113, [.fin, .ack]),
        ])
        #expect(reading.pieces == ["1 up one", "1 up -7", "1 up two"])
        #expect(reading.conversations[0].up.missing == 7)
        #expect(reading.conversations[0].up.passed == 13)
        // Bytes after a gap are not part of the prefix.
        #expect(reading.conversations[0].up.prefix == Array("one".utf8))
    }

    @Test func acknowledgedHole_isGivenUpAfterASecondWhileTheCaptureContinues() {
        let packets: [Packet] = [
            .client(99, .syn), .server(499, [.syn, .ack], ack: 100), .client(110, .ack, "two"),
            .server(500, .ack, ack: 113), .server(500, .ack, "late", ack: 113), .client(113, .ack, "three"),
        ]
        let reading = Reading(packets, milliseconds: [0, 1, 2, 3, 1100, 1101])
        #expect(reading.pieces == ["1 down late", "1 up -10", "1 up two", "1 up three"])
    }

    // MARK: Tapline's recordings

    private func comment(
        _ kind: RecordingComment.Kind, id: UInt64 = 42, _ change: (inout RecordingComment) -> Void = { _ in }
    ) -> String {
        var comment = RecordingComment(kind, id: id)
        change(&comment)
        return comment.text
    }

    @Test func ownComments_nameTheConversation() throws {
        let opened = comment(.opened) {
            $0.relay = "web"
            $0.client = "unix:"
            $0.listener = "unix:/run/web.sock"
            $0.upstream = "example.com:80"
        }
        let connected = comment(.connected) { $0.upstreamAddress = "192.0.2.7:80" }
        let ended = comment(.ended) {
            $0.reason = "idle_timeout"
            $0.bytesUp = 105
            $0.bytesDown = 5
        }
        let reading = Reading(
            greeting, comments: [0: ["by hand", opened], 1: [connected], 6: [ended]])
        #expect(reading.pieces == ["42 up hello", "42 down world"])
        let one = try #require(reading.conversations.first)
        #expect(reading.conversations.count == 1)
        #expect(one.isTaplines && one.relay == "web" && one.client == "unix:" && one.listener == "unix:/run/web.sock")
        #expect(one.upstream == "example.com:80" && one.upstreamAddress == "192.0.2.7:80")
        #expect(one.reason == "idle_timeout")
        #expect(one.up.passed == 105 && one.up.recorded == 5)
        // Tapline's last packet is the end.
        #expect(one.duration == 6_000_000)
    }

    @Test func gapComment_isReportedAtOnceAndExactly() {
        let gap = comment(.gap) { $0.droppedBytes = 5 << 32 }
        let reading = Reading(
            [
                .client(99, .syn), .server(499, [.syn, .ack], ack: 100), .client(100, .ack, "a"),
                .client(101, .ack, "b"),
            ], comments: [0: [comment(.opened)], 3: [gap]])
        #expect(reading.pieces == ["42 up a", "42 up -\(5 << 32 as UInt64)", "42 up b"])
    }

    @Test func joinedInTheMiddle_hasTheClientOfTheComment() {
        let joined = comment(.joined) { $0.client = "10.0.0.2:80" }
        // By the ports the other side would be the client.
        let reading = Reading([.server(1, .ack, "up it goes")], comments: [0: [joined]])
        #expect(reading.pieces == ["42 up up it goes"])
    }

    @Test func anothersNumber_isAnotherConversation() {
        let reading = Reading(
            [.client(1, .ack, "one"), .client(9000, .ack, "two")],
            comments: [0: [comment(.joined, id: 7)], 1: [comment(.joined, id: 8)]])
        #expect(reading.pieces == ["7 up one", "8 up two"])
    }

    // MARK: Limits

    @Test func finishBeforeTheEventsAreTaken_losesNone() throws {
        let reader = RecordingReader()
        reader.append(pcap(greeting.map { $0.version4() }))
        try reader.finish()
        var events = 0
        while try reader.next() != nil { events += 1 }
        #expect(events == 4)
    }

    @Test func conversationsPastTheBound_areEndedTheIdleOnesFirst() {
        var limits = ReassemblyLimits()
        limits.open = 10
        var packets: [Packet] = [.client(0, .syn, port: 1)]
        for port in 2..<200 as Range<UInt16> {
            packets.append(.client(0, .syn, port: port))
            // One stays active.
            packets.append(.client(1, .ack, "x", port: 1))
            packets.append(.client(UInt32(port), .ack, "y", port: 1))
        }
        let reading = Reading(packets, limits: limits)
        #expect(reading.opened == 199)
        #expect(reading.conversations.count == 199)
        // It ends with the capture, not before.
        #expect(reading.conversations.suffix(10).contains { $0.client.hasSuffix(":1") })
    }

    /// Consecutive connections between the same two ports, with two segments each.
    private func connections(_ numbers: ClosedRange<UInt32>, port: UInt16, isClosed: Bool = false) -> [Packet] {
        numbers.flatMap { number -> [Packet] in
            let up = number * 1_000_000
            let down = up + 500_000
            let packets: [Packet] = [
                .client(up, .syn, port: port), .server(down, [.syn, .ack], ack: up + 1, port: port),
                .client(up + 1, .ack, "one", ack: down + 1, port: port),
                .client(up + 4, .ack, "two", ack: down + 1, port: port),
            ]
            let end: [Packet] = [
                .client(up + 7, [.fin, .ack], ack: down + 1, port: port),
                .server(down + 1, [.fin, .ack], ack: up + 8, port: port),
            ]
            return isClosed ? packets + end : packets
        }
    }

    @Test func portsUsedMoreOftenThanTheBound_breakNoConversation() {
        var limits = ReassemblyLimits()
        limits.open = 4
        let reading = Reading(connections(1...6, port: 9), limits: limits)
        #expect(reading.pieces == (1...6).flatMap { ["\($0) up one", "\($0) up two"] })
        #expect(reading.opened == 6)
        #expect(reading.conversations.map(\.id) == [1, 2, 3, 4, 5, 6])
        #expect(reading.conversations.allSatisfy { $0.up.recorded == 6 })
    }

    @Test func newConversation_whereAllOthersAreBusy_isNotTheOneGivenUp() {
        var limits = ReassemblyLimits()
        limits.open = 4
        let busy = 1...4 as ClosedRange<UInt16>
        let packets =
            busy.map { Packet.client(0, .syn, port: $0) } + busy.map { .client(1, .ack, "busy", port: $0) }
            + connections(1...1, port: 9)
        let reading = Reading(packets, limits: limits)
        #expect(reading.pieces.suffix(2) == ["5 up one", "5 up two"])
        #expect(reading.opened == 5)
        // The oldest of the others is ended, and the new one ends with the capture.
        #expect(reading.conversations.map(\.id) == [1, 2, 3, 4, 5])
    }

    @Test func portsClosedMoreOftenThanTheBound_keepTheLastEnd() {
        var limits = ReassemblyLimits()
        limits.closed = 4
        var packets = connections(1...6, port: 9, isClosed: true)
        // A late copy of the last connection's data is recognised.
        packets.append(.client(6_000_001, .ack, "one", ack: 6_500_001, port: 9))
        let reading = Reading(packets, limits: limits)
        #expect(reading.opened == 6)
        #expect(reading.pieces == (1...6).flatMap { ["\($0) up one", "\($0) up two"] })
    }

    @Test func bytesHeldInAll_areBounded() {
        var limits = ReassemblyLimits()
        limits.heldInAll = 10_000
        var packets: [Packet] = []
        for port in 1..<100 as Range<UInt16> {
            packets.append(.client(0, .syn, port: port))
            packets.append(.client(1000, .ack, String(repeating: "z", count: 1000), port: port))
        }
        let reading = Reading(packets, limits: limits)
        #expect(reading.bytes == 99_000)
        // Those past the limit became gaps at once, beginning with the tenth.
        #expect(reading.pieces.first == "10 up -999")
    }

    @Test func firstBytes_areFewOnceManyKeepThem() {
        var limits = ReassemblyLimits()
        limits.prefixInAll = 1000
        let packets: [Packet] = (1001..<1020 as Range<UInt16>).map {
            .client(1, .ack, String(repeating: "p", count: 900), port: $0)
        }
        let prefixes = Reading(packets, limits: limits).conversations.map(\.up.prefix.count)
        #expect(prefixes == [900, 900] + [Int](repeating: 128, count: 17))
    }
}
