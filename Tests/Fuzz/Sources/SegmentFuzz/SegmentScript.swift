/// A recording generated from a fuzzer's bytes: each 12 bytes are one packet between two endpoints, optionally with a
/// gap comment, so that the fuzzer need not produce valid checksums, lengths and texts.
///
/// Used by the fuzz target and by the test that replays its corpus.
struct SegmentScript {
    /// A pcapng file of raw IPv4 packets.
    private(set) var capture: [UInt8] = []
    /// The number of bytes of TCP payload.
    private(set) var payloadBytes = 0

    /// The bits of a packet's first byte other than the TCP flags in the low five.
    private enum Bits {
        static let isFromServer: UInt8 = 0x20
        static let hasGap: UInt8 = 0x40
        static let hasOtherPort: UInt8 = 0x80
    }

    init(_ script: [UInt8]) {
        block(0x0A0D_0D0A, Self.little(0x1A2B_3C4D, 4) + Self.little(1, 4) + [UInt8](repeating: 0xFF, count: 8))
        // Raw IP, nanoseconds.
        block(1, Self.little(101, 4) + Self.little(0, 4) + [9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0])
        var time: UInt64 = 0
        var rest = script[...]
        while rest.count >= 12 {
            let step = Array(rest.prefix(12))
            rest = rest.dropFirst(12)
            // 0, or from one nanosecond to 292 years more.
            if step[1] & 0x3F != 0 { time &+= 1 << UInt64(step[1] & 0x3F) }
            add(step, time: time)
        }
    }

    private mutating func add(_ step: [UInt8], time: UInt64) {
        let isFromServer = step[0] & Bits.isFromServer != 0
        let flags = step[0] & 0x1F
        let count = Int(step[2])
        payloadBytes += count
        let clientPort: UInt64 = step[0] & Bits.hasOtherPort == 0 ? 40_000 : 40_001
        let ports = isFromServer ? [80, clientPort] : [clientPort, 80]
        var tcp = ports.flatMap { Self.big($0, 2) }
        tcp += step[3..<7] + [step[7], step[8], step[7], step[8]]
        tcp += [0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0]
        tcp += [UInt8](repeating: 0x41 &+ step[2], count: count)
        var packet: [UInt8] = [0x45, 0] + Self.big(UInt64(20 + tcp.count), 2) + [0, 0, 0, 0, 64, 6, 0, 0]
        let hosts: [[UInt8]] = [[10, 0, 0, 1], [10, 0, 0, 2]]
        packet += isFromServer ? hosts[1] + hosts[0] : hosts[0] + hosts[1]
        packet += tcp
        var comments: [String] = []
        if step[0] & Bits.hasGap != 0 {
            // Around every power of two.
            let bytes = (1 << UInt64(step[9] & 0x3F)) &+ UInt64(bitPattern: Int64(Int8(bitPattern: step[10])))
            comments.append("tapline: \(bytes) bytes not recorded id=\(step[11] & 3) dropped_bytes=\(bytes)")
        }
        enhancedPacket(packet, time: time, comments)
    }

    private mutating func enhancedPacket(_ packet: [UInt8], time: UInt64, _ comments: [String]) {
        var body = Self.little(0, 4) + Self.little(time >> 32, 4) + Self.little(time & 0xFFFF_FFFF, 4)
        body += Self.little(UInt64(packet.count), 4) + Self.little(UInt64(packet.count), 4) + Self.padded(packet)
        for comment in comments {
            let text = Array(comment.utf8)
            body += [1, 0] + Self.little(UInt64(text.count), 2) + Self.padded(text)
        }
        if !comments.isEmpty { body += [0, 0, 0, 0] }
        block(6, body)
    }

    private mutating func block(_ type: UInt64, _ body: [UInt8]) {
        let length = Self.little(UInt64(body.count + 12), 4)
        capture += Self.little(type, 4) + length + body + length
    }

    private static func padded(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
    }

    private static func little(_ number: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: number >> UInt64(8 * $0)) }
    }

    private static func big(_ number: UInt64, _ count: Int) -> [UInt8] { little(number, count).reversed() }
}
