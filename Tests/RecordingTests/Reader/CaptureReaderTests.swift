import Testing
import Text

@testable import Recording

/// All capture formats of a conversation read the same.
struct CaptureReaderTests {
    private static let expected = ["1 up hello", "1 down world"]

    private func expectGreeting(_ capture: [UInt8], piece: Int = 4096, _ comment: Comment? = nil) {
        let reading = Reading(capture, piece: piece)
        #expect(reading.error == nil, comment)
        #expect(reading.pieces == Self.expected, comment)
        #expect(reading.conversations.map(\.reason) == ["client_closed"], comment)
        #expect(reading.skipped == SkippedPackets(), comment)
        #expect(reading.unread == 0, comment)
    }

    private func wrapped(_ before: [UInt8]) -> [[UInt8]] {
        greeting.map { before + $0.version4() }
    }

    @Test(arguments: [ByteOrder.little, .big], [true, false])
    func pcap_inAllFourForms_isRead(order: ByteOrder, isNanoseconds: Bool) {
        let capture = pcap(greeting.map { $0.version4() }, order: order, isNanoseconds: isNanoseconds)
        expectGreeting(capture)
        let last = Reading(capture).conversations[0].ended.nanoseconds
        #expect(last == 1_000_000_000_000 + 5 * (isNanoseconds ? 1 : 1000))
    }

    @Test(arguments: [ByteOrder.little, .big]) func pcapng_inBothOrders_isRead(order: ByteOrder) {
        var file = Pcapng(order)
        file.interface()
        for packet in greeting { file.packet(packet.version4()) }
        expectGreeting(file.bytes)
    }

    @Test func capture_inPiecesOfAnySize_readsAsTheSame() {
        var file = Pcapng()
        file.interface()
        for packet in greeting { file.packet(packet.version4(), comments: ["some comment"]) }
        for piece in [1, 2, 3, 5, 7, 11, 12, 13, 64, 1000] {
            expectGreeting(file.bytes, piece: piece, "\(piece)")
            expectGreeting(pcap(greeting.map { $0.version4() }), piece: piece, "\(piece)")
        }
    }

    @Test(
        arguments: [
            (101, []), (228, []), (12, []),
            // Ethernet without a tag, with one, with two.
            (1, [UInt8](repeating: 9, count: 12) + [0x08, 0x00]),
            (1, [UInt8](repeating: 9, count: 12) + [0x81, 0x00, 0, 5, 0x08, 0x00]),
            (1, [UInt8](repeating: 9, count: 12) + [0x88, 0xA8, 0, 5, 0x81, 0x00, 0, 6, 0x08, 0x00]),
            // Linux cooked, both versions.
            (113, [UInt8](repeating: 0, count: 14) + [0x08, 0x00]),
            (276, [0x08, 0x00] + [UInt8](repeating: 0, count: 18)),
            // The same with VLAN tags.
            (113, [UInt8](repeating: 0, count: 14) + [0x81, 0x00, 0, 5, 0x08, 0x00]),
            (113, [UInt8](repeating: 0, count: 14) + [0x88, 0xA8, 0, 5, 0x81, 0x00, 0, 6, 0x08, 0x00]),
            (276, [0x81, 0x00] + [UInt8](repeating: 0, count: 18) + [0, 5, 0x08, 0x00]),
            // BSD loopback: the family in either byte order.
            (0, [2, 0, 0, 0]), (0, [0, 0, 0, 2]), (108, [0, 0, 0, 2]),
        ] as [(UInt32, [UInt8])])
    func linkLayer_ofEveryKind_isStripped(link: UInt32, header: [UInt8]) {
        expectGreeting(pcap(wrapped(header), link: link))
    }

    @Test(
        arguments: [
            (6, []),
            // Hop-by-hop, routing, destination; an atomic fragment; authentication.
            (0, [6, 0, 0, 0, 0, 0, 0, 0]),
            (43, [60, 1] + [UInt8](repeating: 0, count: 14) + [6, 0, 0, 0, 0, 0, 0, 0]),
            (44, [6, 0, 0, 0, 0, 0, 0, 1]),
            (51, [6, 4] + [UInt8](repeating: 0, count: 22)),
        ] as [(UInt8, [UInt8])])
    func version6_withExtensions_isRead(next: UInt8, extensions: [UInt8]) {
        let packets = greeting.map { $0.version6(next: next, extensions: extensions) }
        expectGreeting(pcap(packets, link: 229))
        #expect(Reading(pcap(packets, link: 101)).conversations[0].client == "[2001:db8::1]:40000")
    }

    @Test func ethernetPadding_isNoPayload() {
        let padded = greeting.map {
            [UInt8](repeating: 9, count: 12) + [0x08, 0x00] + $0.version4() + [0xEE, 0xEE, 0xEE]
        }
        expectGreeting(pcap(padded, link: 1))
    }

    @Test func lengthThatGoesPastTheWire_isNotBelieved() {
        // Otherwise the bytes after it would look like old ones.
        let packets = greeting.map { packet in packet.version4(total: packet.payload.isEmpty ? 4148 : nil) }
        expectGreeting(pcap(packets))
    }

    @Test func packetLongerThanItsFieldCanSay_isReadWhole() {
        let packets = greeting.map { $0.version4(total: 0) }
        expectGreeting(pcap(packets))
    }

    @Test(
        arguments: [
            // if_tsresol, a count, nanoseconds
            (6, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
            (9, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
            (3, 1_700_000_000_123, 1_700_000_000_123_000_000),
            (0, 1_700_000_000, 1_700_000_000_000_000_000),
            (12, 5_000_000_000_000, 5_000_000_000),
            (0x80 | 10, 1024 * 1_700_000_000 + 512, 1_700_000_000_500_000_000),
            (0x80 | 20, 3 << 20, 3_000_000_000),
            (0x80, 7, 7_000_000_000),
            // Invalid times, which must not trap.
            (127, .max, 0), (0x80 | 127, .max, 0), (0, .max, Int64.max), (39, .max, 0),
        ] as [(UInt8, UInt64, Int64)])
    func time_inEveryResolution_isNanoseconds(resolution: UInt8, count: UInt64, nanoseconds: Int64) {
        var file = Pcapng()
        file.interface([(9, [resolution])])
        for packet in greeting { file.packet(packet.version4(), time: count) }
        #expect(Reading(file.bytes).conversations[0].started.nanoseconds == nanoseconds)
    }

    @Test(arguments: [(Int64(100), Int64(100_000_000_001)), (-1, -999_999_999), (.max, .max), (.min, .min + 1)])
    func timeOffset_isAdded(seconds: Int64, nanoseconds: Int64) {
        var offset = Wire(.little)
        offset.add(seconds)
        var file = Pcapng()
        file.interface([(9, [9]), (14, offset.bytes)])
        for packet in greeting { file.packet(packet.version4(), time: 1) }
        #expect(Reading(file.bytes).conversations[0].started.nanoseconds == nanoseconds)
    }

    @Test func blocksOfOtherKinds_arePassedOver() {
        var file = Pcapng()
        file.block(0x0000_0004, [0, 0, 0, 0])
        file.interface([(2, Array("lo".utf8)), (1, Array("comment".utf8))])
        for packet in greeting {
            file.packet(packet.version4())
            file.block(5, [UInt8](repeating: 1, count: 20))
            file.block(0xDEAD_BEEF, [1, 2, 3])
            file.block(0x0000_0BAD, [])
        }
        expectGreeting(file.bytes)
    }

    @Test func sectionsOfBothOrders_eachHaveTheirInterfaces() {
        var first = Pcapng(.little)
        first.interface(link: 101)
        for packet in greeting[..<3] { first.packet(packet.version4()) }
        var second = Pcapng(.big)
        second.interface(link: 1)
        second.interface(link: 228)
        for packet in greeting[3...] { second.packet(packet.version4(), interface: 1) }
        expectGreeting(first.bytes + second.bytes)
    }

    @Test func simpleAndOldPackets_areRead() {
        var file = Pcapng()
        file.interface()
        for (place, packet) in greeting.enumerated() {
            if place.isMultiple(of: 2) {
                file.simplePacket(packet.version4())
            } else {
                file.oldPacket(packet.version4(), time: 5)
            }
        }
        expectGreeting(file.bytes)
        #expect(Reading(file.bytes).conversations[0].ended.nanoseconds == 5)
    }

    @Test func simplePacket_cutAtTheSnapLength_reportsTheMissingBytes() {
        var file = Pcapng()
        file.interface(snapLength: 42)
        for packet in greeting {
            let bytes = packet.version4()
            file.simplePacket(Array(bytes.prefix(42)), original: UInt32(bytes.count))
        }
        #expect(Reading(file.bytes).pieces == ["1 up he", "1 up -3", "1 down wo", "1 down -3"])
    }

    @Test func packetsOfOtherKinds_areCounted() {
        var udp = greeting[2].version4()
        udp[9] = 17
        var short = greeting[2].version4()
        short[3] = 25
        let fragments = [
            greeting[2].version4(fragment: 0x2000), greeting[2].version4(fragment: 5),
            greeting[2].version6(next: 44, extensions: [6, 0, 0, 1, 0, 0, 0, 1]),
        ]
        let reading = Reading(pcap(fragments + [udp, short, [], [0x45], [0x60, 1, 2]]))
        #expect(reading.skipped.packets[.fragment] == 3)
        #expect(reading.skipped.packets[.ipProtocol(17)] == 1)
        #expect(reading.skipped.packets[.damaged] == 4)
        #expect(reading.conversations.isEmpty)
        #expect(Reading(pcap([[1, 2, 3]], link: 147)).skipped.packets == [.link(147): 1])
        // A packet with "do not fragment" is complete.
        #expect(Reading(pcap([greeting[2].version4(fragment: 0x4000)])).pieces == ["1 up hello"])
    }
}
