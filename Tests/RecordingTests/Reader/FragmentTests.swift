import Testing

@testable import Recording

/// Fragments of IP packets are reassembled within limits, or counted.
struct FragmentTests {
    /// The fragments of a packet, each with `size` bytes of its TCP segment.
    private static func fragments(_ packet: Packet, every size: Int, identification: UInt16 = 7) -> [[UInt8]] {
        let tcp = packet.tcp
        return stride(from: 0, to: tcp.count, by: size).map { start in
            let end = min(start + size, tcp.count)
            var wire = Wire()
            wire.add([0x45, 0])
            wire.add(UInt16(20 + end - start))
            wire.add(identification)
            wire.add(UInt16(start / 8) | (end < tcp.count ? 0x2000 : 0))
            wire.add([64, 6, 0, 0, 10, 0, 0, packet.isFromClient ? 1 : 2, 10, 0, 0, packet.isFromClient ? 2 : 1])
            wire.add(Array(tcp[start..<end]))
            return wire.bytes
        }
    }

    private static let long = Packet.client(100, .ack, String((0..<200).map { _ in "x" }) + "end", ack: 500)

    @Test func fragments_inAnyOrder_makeTheSegment() {
        let parts = Self.fragments(Self.long, every: 64)
        #expect(parts.count == 4)
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [0, 0, 1, 3, 1, 2]] {
            let reading = Reading(pcap(order.map { parts[$0] }))
            #expect(reading.bytes == 203 && reading.pieces.first?.hasSuffix("end") == true, "\(order)")
            #expect(reading.skipped == SkippedPackets(), "\(order)")
            #expect(reading.segments == 1)
        }
    }

    /// Options may follow the fragment header.
    @Test(arguments: [false, true]) func version6Fragments_makeTheSegment(hasOptions: Bool) {
        let options: [UInt8] = hasOptions ? [6, 0, 1, 4, 0, 0, 0, 0] : []
        let tcp = options + Self.long.tcp
        let packets = stride(from: 0, to: tcp.count, by: 64).map { start -> [UInt8] in
            let end = min(start + 64, tcp.count)
            var wire = Wire()
            wire.add([0x60, 0, 0, 0])
            wire.add(UInt16(8 + end - start))
            wire.add([44, 64])
            wire.add([UInt8](repeating: 1, count: 32))
            wire.add([hasOptions ? 60 : 6, 0])
            wire.add(UInt16(start) | (end < tcp.count ? 1 : 0))
            wire.add(UInt32(77))
            wire.add(Array(tcp[start..<end]))
            return wire.bytes
        }
        #expect(Reading(pcap(packets)).bytes == 203)
    }

    @Test func fragmentsOfTwoPackets_areKeptApart() {
        var other = Self.long
        other.isFromClient = false
        let parts = zip(Self.fragments(Self.long, every: 64), Self.fragments(other, every: 64)).flatMap { [$0, $1] }
        #expect(Reading(pcap(parts)).bytes == 406)
    }

    @Test func overlap_theFirstCopyCounts() {
        var parts = Self.fragments(Self.long, every: 64)
        var forged = parts[1]
        for place in 20..<forged.count { forged[place] = UInt8(ascii: "!") }
        parts.insert(forged, at: 2)
        let reading = Reading(pcap(parts))
        #expect(reading.bytes == 203 && reading.pieces.first?.contains("!") == false)
    }

    @Test func missingFragment_countsAllOthers() {
        let parts = Self.fragments(Self.long, every: 64)
        #expect(Reading(pcap(Array(parts[..<3]))).skipped.packets == [.fragment: 3])
        // Other protocols are reported as such.
        let udp = parts.map { part in
            var part = part
            part[9] = 1
            return part
        }
        #expect(Reading(pcap(udp)).skipped.packets == [.ipProtocol(1): 4])
    }

    @Test func fragmentsThatNeverComplete_areBounded_andCounted() {
        let first = Self.fragments(Self.long, every: 64)[0]
        let packets = (0..<5000 as Range<UInt16>).map { number -> [UInt8] in
            var part = first
            part[4] = UInt8(number >> 8)
            part[5] = UInt8(number & 0xFF)
            return part
        }
        #expect(Reading(pcap(packets)).skipped.packets == [.fragment: 5000])
        var table = FragmentTable()
        for number in 0..<300 as Range<UInt32> {
            let key = FragmentTable.Key(
                sourceLow: 1, destinationLow: 2, identification: number, proto: 6, isIPv4: true)
            _ = table.add([UInt8](repeating: 0, count: 8)[...], length: 8, at: 65_000, isLast: false, of: key, time: 0)
        }
        #expect(table.incomplete == 300 && table.givenUp > 100)
    }

    @Test func packetsThatGrowLater_neverHoldMoreThanTheLimit() {
        var table = FragmentTable()
        let payload = [UInt8](repeating: 0, count: 8)[...]
        var most = 0
        var taken: UInt64 = 0
        for offset in [0, 16, 30_000, 65_000] {
            for number in 0..<1024 as Range<UInt32> {
                let key = FragmentTable.Key(
                    sourceLow: 1, destinationLow: 2, identification: number, proto: 6, isIPv4: true)
                #expect(
                    table.add(payload, length: 8, at: offset, isLast: false, of: key, time: 0) == nil)
                taken += 1
                most = max(most, table.bytes)
            }
        }
        #expect(most <= FragmentTable.mostBytes)
        #expect(most > FragmentTable.mostBytes - 65_536)
        #expect(table.incomplete == taken)
    }

    @Test func offsetPastThePacket_isNoTrap() {
        var table = FragmentTable()
        let key = FragmentTable.Key(sourceLow: 1, destinationLow: 2, identification: 3, proto: 6, isIPv4: true)
        for (offset, length) in [(65_528, 100), (0, 0), (-8, 8), (8, 65_535)] {
            let payload = [UInt8](repeating: 0, count: length)[...]
            #expect(table.add(payload, length: length, at: offset, isLast: true, of: key, time: .min) == nil)
        }
        #expect(table.incomplete == 4)
    }
}
