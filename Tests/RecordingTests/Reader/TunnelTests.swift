import Testing

@testable import Recording

/// TCP inside other layers is found, or the skipped layer is reported.
struct TunnelTests {
    private static let macs = [UInt8](repeating: 9, count: 12)

    /// An IPv4 packet around a payload.
    private static func version4(_ proto: UInt8, _ payload: [UInt8]) -> [UInt8] {
        var wire = Wire()
        wire.add([0x45, 0])
        wire.add(UInt16(20 + payload.count))
        wire.add([0, 1, 0, 0, 64, proto, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2])
        wire.add(payload)
        return wire.bytes
    }

    private static func udp(_ port: UInt16, from source: UInt16 = 5000, _ payload: [UInt8]) -> [UInt8] {
        var wire = Wire()
        wire.add(source)
        wire.add(port)
        wire.add(UInt16(8 + payload.count))
        wire.add(UInt16(0))
        wire.add(payload)
        return version4(17, wire.bytes)
    }

    private static func ethernet(_ type: UInt16, _ payload: [UInt8]) -> [UInt8] {
        macs + [UInt8(type >> 8), UInt8(type & 0xFF)] + payload
    }

    private func expectGreeting(_ comment: Comment? = nil, link: UInt32 = 1, _ wrap: (Packet) -> [UInt8]) {
        let reading = Reading(pcap(greeting.map(wrap), link: link))
        #expect(reading.pieces == ["1 up hello", "1 down world"], comment)
        #expect(reading.conversations.map(\.reason) == ["client_closed"], comment)
        #expect(reading.skipped == SkippedPackets(), comment)
    }

    @Test func pointToPoint_overEthernet_isRead() {
        for (type, version) in [([0x00, 0x21] as [UInt8], 4), ([0x21], 4), ([0xFF, 0x03, 0x00, 0x57], 6)] {
            expectGreeting { packet in
                let inner = type + (version == 4 ? packet.version4() : packet.version6())
                return Self.ethernet(
                    0x8864, [0x11, 0, 0, 5, UInt8(inner.count >> 8), UInt8(inner.count & 0xFF)] + inner + [0, 0])
            }
        }
    }

    @Test func labels_areSkipped() {
        let labels: [UInt8] = [0, 1, 0, 64, 0, 2, 0, 64, 0, 3, 1, 64]
        expectGreeting("IPv4") { Self.ethernet(0x8847, labels + $0.version4()) }
        expectGreeting("IPv6") { Self.ethernet(0x8848, labels + $0.version6()) }
        expectGreeting("pseudowire") {
            Self.ethernet(0x8847, labels + [0, 0, 0, 0] + Self.ethernet(0x0800, $0.version4()))
        }
    }

    @Test func subnetworkAccessProtocol_isRead() {
        expectGreeting("Ethernet") {
            let frame = [0xAA, 0xAA, 3, 0, 0, 0, 8, 0] + $0.version4()
            return Self.ethernet(UInt16(frame.count), frame + [0xEE, 0xEE])
        }
        expectGreeting("Linux cooked", link: 113) {
            [UInt8](repeating: 0, count: 14) + [0, 4, 0xAA, 0xAA, 3, 0, 0, 0, 8, 0] + $0.version4()
        }
        expectGreeting("RFC 948") {
            let frame = [6, 6, 3] + $0.version4()
            return Self.ethernet(UInt16(frame.count), frame)
        }
    }

    @Test func internetInInternet_isRead() {
        expectGreeting("4 in 4") { Self.ethernet(0x0800, Self.version4(4, $0.version4())) }
        expectGreeting("6 in 4") { Self.ethernet(0x0800, Self.version4(41, $0.version6())) }
        expectGreeting("4 in 4 in 4", link: 101) { Self.version4(4, Self.version4(4, $0.version4())) }
        expectGreeting("authenticated", link: 101) {
            Self.version4(51, [6, 4] + [UInt8](repeating: 1, count: 22) + $0.tcp).replacingAddresses(of: $0)
        }
    }

    @Test func genericRouting_isRead() {
        expectGreeting("plain", link: 101) { Self.version4(47, [0, 0, 8, 0] + $0.version4()) }
        expectGreeting("key and sequence", link: 101) {
            Self.version4(47, [0xB0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2] + $0.version4())
        }
        expectGreeting("Ethernet", link: 101) {
            Self.version4(47, [0, 0, 0x65, 0x58] + Self.ethernet(0x0800, $0.version4()))
        }
        expectGreeting("ERSPAN II", link: 101) {
            Self.version4(
                47, [0x10, 0, 0x88, 0xBE, 0, 0, 0, 1, 0x10, 0, 0, 0, 0, 0, 0, 0] + Self.ethernet(0x0800, $0.version4()))
        }
        expectGreeting("PPTP", link: 101) {
            Self.version4(47, [0x30, 0x81, 0x88, 0x0B, 0, 9, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0x21] + $0.version4())
        }
        expectGreeting("Ethernet in IP", link: 101) {
            Self.version4(97, [0x30, 0] + Self.ethernet(0x0800, $0.version4()))
        }
    }

    @Test func tunnelsOverUDP_areRead() {
        for port in [4789, 8472] as [UInt16] {
            expectGreeting("VXLAN \(port)", link: 101) {
                Self.udp(port, [8, 0, 0, 0, 0, 0, 7, 0] + Self.ethernet(0x0800, $0.version4()))
            }
        }
        expectGreeting("VXLAN-GPE", link: 101) { Self.udp(4790, [0x0C, 0, 0, 1, 0, 0, 7, 0] + $0.version4()) }
        expectGreeting("Geneve", link: 101) {
            Self.udp(6081, [1, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 3, 4] + Self.ethernet(0x0800, $0.version4()))
        }
        expectGreeting("GTP-U", link: 101) { Self.udp(2152, [0x30, 255, 0, 0, 0, 0, 0, 1] + $0.version4()) }
        expectGreeting("GTP-U with extensions", link: 101) {
            Self.udp(2152, [0x34, 255, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0] + $0.version4())
        }
        expectGreeting("L2TP", link: 101) {
            Self.udp(1701, [0x4A, 2, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 2, 9, 9, 0, 0x21] + $0.version4())
        }
        expectGreeting("Teredo", link: 101) { Self.udp(3544, [0, 0, 1, 2, 3, 4, 5, 6] + $0.version6()) }
        expectGreeting("MPLS", link: 101) { Self.udp(6635, [0, 0, 1, 64] + $0.version4()) }
    }

    @Test func tunnelAndPlainTCP_areBothShown() {
        let tunnelled = greeting.map {
            Self.ethernet(0x0800, Self.udp(4789, [8, 0, 0, 0, 0, 0, 7, 0] + Self.ethernet(0x0800, $0.version4())))
        }
        let plain = greeting.map { packet in
            var packet = packet
            packet.clientPort = 40_001
            return Self.ethernet(0x0800, packet.version4())
        }
        let reading = Reading(pcap(tunnelled + plain, link: 1))
        #expect(reading.pieces == ["1 up hello", "1 down world", "2 up hello", "2 down world"])
    }

    @Test func netfilterLog_inBothOrders_isRead() {
        for order in [ByteOrder.little, .big] {
            expectGreeting("\(order)", link: 239) { packet in
                let inner = packet.version4()
                var wire = Wire(order)
                wire.add([2, 0, 0, 0])
                for (type, value) in [(1, [8, 0, 1, 0]), (10, Array("x\0".utf8)), (9, inner)] as [(UInt16, [UInt8])] {
                    wire.add(UInt16(4 + value.count))
                    wire.add(type)
                    wire.add(value)
                    wire.pad()
                }
                return wire.bytes
            }
        }
        #expect(Reading(pcap([[2, 0, 0, 0]], link: 239)).skipped.packets == [.link(239): 1])
    }

    // MARK: Skipped layers

    @Test(
        arguments: [
            (version4(50, [1, 2, 3, 4]), .tunnel(.esp)), (udp(4500, [1, 2, 3, 4, 5]), .tunnel(.espInUDP)),
            (udp(4711, from: 4500, [1, 2, 3, 4, 5]), .tunnel(.espInUDP)),
            (udp(51820, [4, 0, 0, 0]), .tunnel(.wireGuard)),
            (udp(4711, from: 51820, [4, 0, 0, 0]), .tunnel(.wireGuard)),
            (udp(2152, [0x30, 1, 0, 0]), .tunnel(.gtp)), (udp(1701, [0xC8, 2, 0, 0]), .tunnel(.l2tp)),
            (version4(47, [0x40, 0, 8, 0]), .tunnel(.gre)),
            (version4(1, [8, 0, 0, 0]), .ipProtocol(1)), (udp(53, [0, 0]), .ipProtocol(17)),
            // On a tunnel's port, but not a tunnel.
            (udp(4789, [0, 0]), .ipProtocol(17)), (udp(6081, [0]), .ipProtocol(17)),
        ] as [([UInt8], SkipCause)])
    func packetWithoutTCP_isNamed(packet: [UInt8], cause: SkipCause) {
        #expect(Reading(pcap([packet])).skipped.packets == [cause: 1])
    }

    @Test(
        arguments: [
            (0x0806, .etherType(0x0806)), (0x88E5, .tunnel(.macsec)), (0x0026, .linkControl),
            (0x8863, .etherType(0x8863)),
        ] as [(UInt16, SkipCause)])
    func frameWithoutIP_isNamed(type: UInt16, cause: SkipCause) {
        let frame = Self.ethernet(type, [0x42, 0x42, 3, 0, 0, 0, 0, 0])
        #expect(Reading(pcap([frame], link: 1)).skipped.packets == [cause: 1])
    }

    @Test func packetCutInItsHeaders_isNamedAsCut() {
        var file = Pcapng()
        file.interface()
        for packet in greeting { file.packet(Array(packet.version4().prefix(30)), original: 100) }
        #expect(Reading(file.bytes).skipped.packets == [.cut: 7])
    }

    @Test func tunnelsInsideEachOther_areBounded() {
        var packet = greeting[2].version4()
        for _ in 0..<40 { packet = Self.version4(4, packet) }
        #expect(Reading(pcap([packet])).skipped.packets == [.tunnel(.nested): 1])
        // Megabytes of labels in one frame, which must not overflow the stack.
        let labels = [UInt8](repeating: 0, count: 1 << 20)
        #expect(Reading(pcap([Self.ethernet(0x8847, labels)], link: 1)).skipped.packets[.damaged] == 1)
        let bridges = (0..<100_000).flatMap { _ in [0, 0, 0, 0] as [UInt8] + Self.macs + [0x88, 0xE7] }
        #expect(Reading(pcap([Self.ethernet(0x88E7, bridges)], link: 1)).skipped.packets == [.tunnel(.nested): 1])
    }
}

extension [UInt8] {
    /// The addresses that the packet itself would have.
    fileprivate func replacingAddresses(of packet: Packet) -> [UInt8] {
        Array(self[..<12]) + packet.version4()[12..<20] + self[20...]
    }
}
