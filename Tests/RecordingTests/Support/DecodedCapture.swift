import Testing

/// A pcapng decoder that shares no code with the encoder. Throws on invalid lengths, padding and checksums.
struct DecodedCapture {
    struct Packet {
        var interface = 0
        var time: UInt64 = 0
        var isIPv6 = false
        var source: [UInt8] = []
        var destination: [UInt8] = []
        var sourcePort = 0
        var destinationPort = 0
        var sequence: UInt32 = 0
        var acknowledgement: UInt32 = 0
        var flags = 0
        var tcpOptions: [UInt8] = []
        var payload: [UInt8] = []
        var direction: UInt32 = 0
        var dropCount: UInt64?
        var comments: [String] = []
    }

    struct Broken: Error, CustomStringConvertible {
        let description: String
        init(_ text: String) { description = text }
    }

    private(set) var blocks: [UInt32] = []
    private(set) var sectionOptions: [Int: [[UInt8]]] = [:]
    private(set) var interfaces: [[Int: [[UInt8]]]] = []
    private(set) var statistics: [[Int: [[UInt8]]]] = []
    private(set) var names: [String] = []
    private(set) var packets: [Packet] = []
    /// The TLS key logs of decryption secrets blocks.
    private(set) var secrets: [[UInt8]] = []

    init(_ file: [UInt8]) throws {
        var rest = file[...]
        while !rest.isEmpty {
            guard rest.count >= 12 else { throw Broken("a rest of \(rest.count) bytes") }
            let kind = Self.little32(rest, 0)
            let length = Int(Self.little32(rest, 4))
            guard length >= 12, length % 4 == 0, length <= rest.count else { throw Broken("length \(length)") }
            guard Self.little32(rest, length - 4) == UInt32(length) else { throw Broken("second length") }
            blocks.append(kind)
            try take(kind, Array(rest.prefix(length).dropFirst(8).dropLast(4)))
            rest = rest.dropFirst(length)
        }
    }

    private mutating func take(_ kind: UInt32, _ body: [UInt8]) throws {
        switch kind {
        case 0x0A0D_0D0A:
            guard Array(body.prefix(16)) == [0x4D, 0x3C, 0x2B, 0x1A, 1, 0, 0, 0] + Array(repeating: 0xFF, count: 8)
            else { throw Broken("section header") }
            sectionOptions = try Self.options(body[16...])
        case 1:
            guard Array(body.prefix(8)) == [101, 0, 0, 0, 0, 0, 0, 0] else { throw Broken("interface") }
            interfaces.append(try Self.options(body[8...]))
        case 4:
            let length = Int(body[2]) | Int(body[3]) << 8
            let address = body[0] == 1 ? 4 : 16
            let padded = (length + 3) / 4 * 4
            guard body.count == 4 + padded + 4, body[4 + length - 1] == 0 else { throw Broken("name record") }
            guard body[(4 + length)...].allSatisfy({ $0 == 0 }) else { throw Broken("end of names") }
            names.append(String(decoding: body[(4 + address)..<(4 + length - 1)], as: UTF8.self))
        case 5:
            statistics.append(try Self.options(body[12...]))
        case 6:
            try takePacket(body[...])
        case 0x0A:
            let length = Int(Self.little32(body[...], 4))
            guard Array(body.prefix(4)) == Array("KSLT".utf8), body.count == 8 + (length + 3) / 4 * 4,
                body[(8 + length)...].allSatisfy({ $0 == 0 })
            else { throw Broken("decryption secrets") }
            secrets.append(Array(body[8..<(8 + length)]))
        default: throw Broken("block \(kind)")
        }
    }

    private mutating func takePacket(_ body: ArraySlice<UInt8>) throws {
        var packet = Packet()
        packet.interface = Int(Self.little32(body, 0))
        guard packet.interface < interfaces.count else { throw Broken("interface \(packet.interface)") }
        packet.time = UInt64(Self.little32(body, 4)) << 32 | UInt64(Self.little32(body, 8))
        let length = Int(Self.little32(body, 12))
        let padded = (length + 3) / 4 * 4
        guard Self.little32(body, 16) == UInt32(length), 20 + padded <= body.count else {
            throw Broken("packet length")
        }
        guard body[(20 + length)..<(20 + padded)].allSatisfy({ $0 == 0 }) else { throw Broken("padding") }
        let options = try Self.options(body[(20 + padded)...])
        guard let flags = options[2]?.first, flags.count == 4 else { throw Broken("flags") }
        packet.direction = Self.little32(flags[...], 0)
        if let drops = options[4]?.first { packet.dropCount = Self.little64(drops) }
        packet.comments = (options[1] ?? []).map { String(decoding: $0, as: UTF8.self) }
        try Self.takeApart(Array(body[20..<(20 + length)]), into: &packet)
        packets.append(packet)
    }

    private static func takeApart(_ bytes: [UInt8], into packet: inout Packet) throws {
        packet.isIPv6 = bytes[0] >> 4 == 6
        let header = packet.isIPv6 ? 40 : 20
        let tcp = Array(bytes[header...])
        if packet.isIPv6 {
            guard bytes[6] == 6, big16(bytes, 4) == tcp.count else { throw Broken("IPv6 length") }
            (packet.source, packet.destination) = (Array(bytes[8..<24]), Array(bytes[24..<40]))
        } else {
            guard bytes[0] == 0x45, bytes[9] == 6, big16(bytes, 2) == bytes.count else { throw Broken("IPv4 header") }
            guard sum(Array(bytes[..<20])) == 0xFFFF else { throw Broken("IPv4 checksum") }
            (packet.source, packet.destination) = (Array(bytes[12..<16]), Array(bytes[16..<20]))
        }
        let length = [UInt8(tcp.count >> 16), UInt8(tcp.count >> 8 & 0xFF), UInt8(tcp.count & 0xFF)]
        let pseudo = packet.source + packet.destination + [0] + length + [0, 0, 0, 6]
        guard sum(pseudo + tcp) == 0xFFFF else { throw Broken("TCP checksum") }
        packet.sourcePort = big16(tcp, 0)
        packet.destinationPort = big16(tcp, 2)
        packet.sequence = UInt32(big16(tcp, 4)) << 16 | UInt32(big16(tcp, 6))
        packet.acknowledgement = UInt32(big16(tcp, 8)) << 16 | UInt32(big16(tcp, 10))
        let data = Int(tcp[12] >> 4) * 4
        packet.flags = Int(tcp[13])
        packet.tcpOptions = Array(tcp[20..<data])
        packet.payload = Array(tcp[data...])
    }

    private static func options(_ bytes: ArraySlice<UInt8>) throws -> [Int: [[UInt8]]] {
        var rest = Array(bytes)[...]
        var found: [Int: [[UInt8]]] = [:]
        while true {
            guard rest.count >= 4 else { throw Broken("options without an end") }
            let code = Int(rest[rest.startIndex]) | Int(rest[rest.startIndex + 1]) << 8
            let length = Int(rest[rest.startIndex + 2]) | Int(rest[rest.startIndex + 3]) << 8
            let padded = (length + 3) / 4 * 4
            guard rest.count >= 4 + padded else { throw Broken("option \(code)") }
            if code == 0 {
                guard length == 0, rest.count == 4 else { throw Broken("end of options") }
                return found
            }
            let value = rest.dropFirst(4)
            guard value.dropFirst(length).prefix(padded - length).allSatisfy({ $0 == 0 }) else {
                throw Broken("padding of option \(code)")
            }
            found[code, default: []].append(Array(value.prefix(length)))
            rest = rest.dropFirst(4 + padded)
        }
    }

    static func little64(_ bytes: [UInt8]) -> UInt64 {
        UInt64(little32(bytes[...], 0)) | UInt64(little32(bytes[...], 4)) << 32
    }

    private static func little32(_ bytes: ArraySlice<UInt8>, _ offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[bytes.startIndex + offset + $1]) << (8 * $1) }
    }

    private static func big16(_ bytes: [UInt8], _ offset: Int) -> Int {
        Int(bytes[offset]) << 8 | Int(bytes[offset + 1])
    }

    /// The ones'-complement sum of 16-bit words, word by word.
    static func sum(_ bytes: [UInt8]) -> Int {
        var sum = 0
        for offset in stride(from: 0, to: bytes.count, by: 2) {
            sum += Int(bytes[offset]) << 8 | (offset + 1 < bytes.count ? Int(bytes[offset + 1]) : 0)
            if sum > 0xFFFF { sum -= 0xFFFF }
        }
        return sum
    }
}
