@testable import Recording

/// A builder for the bytes of captures.
struct Wire {
    var bytes: [UInt8] = []
    let order: ByteOrder

    init(_ order: ByteOrder = .big) {
        self.order = order
    }

    mutating func add<Number: FixedWidthInteger>(_ number: Number) {
        let size = Number.bitWidth / 8
        for place in 0..<size {
            let shift = 8 * (order == .big ? size - 1 - place : place)
            bytes.append(UInt8(truncatingIfNeeded: number >> Number(shift)))
        }
    }

    mutating func add(_ more: [UInt8]) {
        bytes += more
    }

    /// Zeros up to the next multiple of four.
    mutating func pad() {
        bytes += [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
    }
}

/// A packet of a conversation between two hosts, with its outer layers.
struct Packet {
    var isFromClient = true
    var sequence: UInt32
    var acknowledgement: UInt32 = 0
    var flags: TCPSegment.Flags = .ack
    var payload: [UInt8] = []
    var clientPort: UInt16 = 40_000
    var serverPort: UInt16 = 80

    static func client(
        _ sequence: UInt32, _ flags: TCPSegment.Flags = .ack, _ text: String = "", ack: UInt32 = 0,
        port: UInt16 = 40_000
    ) -> Packet {
        Packet(
            sequence: sequence, acknowledgement: ack, flags: flags, payload: Array(text.utf8), clientPort: port)
    }

    static func server(
        _ sequence: UInt32, _ flags: TCPSegment.Flags = .ack, _ text: String = "", ack: UInt32 = 0,
        port: UInt16 = 40_000
    ) -> Packet {
        Packet(
            isFromClient: false, sequence: sequence, acknowledgement: ack, flags: flags, payload: Array(text.utf8),
            clientPort: port)
    }

    var tcp: [UInt8] {
        var wire = Wire()
        wire.add(isFromClient ? clientPort : serverPort)
        wire.add(isFromClient ? serverPort : clientPort)
        wire.add(sequence)
        wire.add(acknowledgement)
        wire.add(UInt8(0x50))
        wire.add(flags.rawValue)
        wire.add([0xFF, 0xFF, 0, 0, 0, 0])
        wire.add(payload)
        return wire.bytes
    }

    /// 10.0.0.1 is the client, 10.0.0.2 the server.
    func version4(fragment: UInt16 = 0, total: UInt16? = nil) -> [UInt8] {
        let tcp = tcp
        var wire = Wire()
        wire.add([0x45, 0])
        wire.add(total ?? UInt16(20 + tcp.count))
        wire.add(UInt16(1))
        wire.add(fragment)
        wire.add([64, 6, 0, 0, 10, 0, 0, isFromClient ? 1 : 2, 10, 0, 0, isFromClient ? 2 : 1])
        wire.add(tcp)
        return wire.bytes
    }

    /// 2001:db8::1 is the client, 2001:db8::2 the server.
    func version6(next: UInt8 = 6, extensions: [UInt8] = []) -> [UInt8] {
        let tcp = tcp
        var wire = Wire()
        wire.add([0x60, 0, 0, 0])
        wire.add(UInt16(extensions.count + tcp.count))
        wire.add([next, 64])
        for host in isFromClient ? [1, 2] as [UInt8] : [2, 1] {
            wire.add([0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [host])
        }
        wire.add(extensions + tcp)
        return wire.bytes
    }
}

/// A builder for a pcapng file.
struct Pcapng {
    private(set) var bytes: [UInt8] = []
    let order: ByteOrder

    init(_ order: ByteOrder = .little) {
        self.order = order
        section()
    }

    typealias Option = (code: UInt16, value: [UInt8])

    /// The bytes of options, with the end option.
    static func options(_ options: [Option], _ order: ByteOrder) -> [UInt8] {
        guard !options.isEmpty else { return [] }
        var wire = Wire(order)
        for option in options {
            wire.add(option.code)
            wire.add(UInt16(option.value.count))
            wire.add(option.value)
            wire.pad()
        }
        wire.add(UInt32(0))
        return wire.bytes
    }

    mutating func block(_ type: UInt32, _ body: [UInt8]) {
        var padded = Wire(order)
        padded.add(body)
        padded.pad()
        var wire = Wire(order)
        wire.add(type)
        wire.add(UInt32(padded.bytes.count + 12))
        wire.add(padded.bytes)
        wire.add(UInt32(padded.bytes.count + 12))
        bytes += wire.bytes
    }

    mutating func section(major: UInt16 = 1) {
        var wire = Wire(order)
        wire.add(UInt32(0x1A2B_3C4D))
        wire.add(major)
        wire.add(UInt16(0))
        wire.add(Int64(-1))
        block(0x0A0D_0D0A, wire.bytes)
    }

    mutating func interface(link: UInt16 = 101, snapLength: UInt32 = 0, _ options: [Option] = [(9, [9])]) {
        var wire = Wire(order)
        wire.add(link)
        wire.add(UInt16(0))
        wire.add(snapLength)
        wire.add(Self.options(options, order))
        block(1, wire.bytes)
    }

    /// Adds an enhanced packet block. `captured` is its length field, independent of the bytes.
    mutating func packet(
        _ packet: [UInt8], time: UInt64 = 0, interface: UInt32 = 0, captured: UInt32? = nil, original: Int? = nil,
        comments: [String] = [], isInbound: Bool? = nil
    ) {
        var wire = Wire(order)
        wire.add(interface)
        wire.add(UInt32(time >> 32))
        wire.add(UInt32(truncatingIfNeeded: time))
        wire.add(captured ?? UInt32(packet.count))
        wire.add(UInt32(original ?? packet.count))
        wire.add(packet)
        wire.pad()
        var options: [Option] = comments.map { (1, Array($0.utf8)) }
        if let isInbound {
            var flags = Wire(order)
            flags.add(UInt32(isInbound ? 1 : 2))
            options.append((2, flags.bytes))
        }
        wire.add(Self.options(options, order))
        block(6, wire.bytes)
    }

    mutating func simplePacket(_ packet: [UInt8], original: UInt32? = nil) {
        var wire = Wire(order)
        wire.add(original ?? UInt32(packet.count))
        wire.add(packet)
        block(3, wire.bytes)
    }

    mutating func oldPacket(_ packet: [UInt8], time: UInt64 = 0) {
        var wire = Wire(order)
        wire.add(UInt32(0))
        wire.add(UInt32(time >> 32))
        wire.add(UInt32(truncatingIfNeeded: time))
        wire.add(UInt32(packet.count))
        wire.add(UInt32(packet.count))
        wire.add(packet)
        block(2, wire.bytes)
    }
}

/// A classic pcap file.
func pcap(
    _ packets: [[UInt8]], order: ByteOrder = .little, isNanoseconds: Bool = false, link: UInt32 = 101
) -> [UInt8] {
    var wire = Wire(order)
    wire.add(isNanoseconds ? UInt32(0xA1B2_3C4D) : 0xA1B2_C3D4)
    wire.add(UInt16(2))
    wire.add(UInt16(4))
    wire.add(UInt64(0))
    wire.add(UInt32(65_535))
    wire.add(link)
    for (place, packet) in packets.enumerated() {
        wire.add(UInt32(1000))
        wire.add(UInt32(place))
        wire.add(UInt32(packet.count))
        wire.add(UInt32(packet.count))
        wire.add(packet)
    }
    return wire.bytes
}
