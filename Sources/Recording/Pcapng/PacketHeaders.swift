internal import Sockets

/// Writes a segment's packet: IPv4 (RFC 791) or IPv6 (RFC 8200), then TCP (RFC 9293), with valid checksums.
struct PacketHeaders {
    /// The window of every segment: 1 GiB with the handshake's scale, so that no receiver looks slow.
    private static let window: UInt16 = 0xFFFF
    private static let windowScale: UInt8 = 14
    private static let timeToLive: UInt8 = 64
    private static let protocolTCP: UInt64 = 6

    /// The length of a segment's packet.
    @inline(__always)
    static func packetCount(_ segment: Segment, _ path: PacketPath) -> Int {
        (path.isIPv6 ? 40 : 20) + tcpHeaderCount(segment) + segment.payloadCount
    }

    @inline(__always)
    private static func tcpHeaderCount(_ segment: Segment) -> Int {
        segment.flags.contains(.syn) ? 28 : 20
    }

    /// Appends the packet. `payload` holds all of the event's bytes; the segment selects its part.
    @inline(__always)
    static func append(_ segment: Segment, _ path: PacketPath, payload: RawSpan, to buffer: OutputBuffer) {
        let tcpCount = tcpHeaderCount(segment) + segment.payloadCount
        if path.isIPv6 {
            appendIPv6(segment, path, tcpCount: tcpCount, to: buffer)
        } else {
            appendIPv4(segment, path, tcpCount: tcpCount, to: buffer)
        }
        appendTCP(segment, path, tcpCount: tcpCount, payload: payload, to: buffer)
    }

    @inline(__always)
    private static func appendIPv4(_ segment: Segment, _ path: PacketPath, tcpCount: Int, to buffer: OutputBuffer) {
        let isUp = segment.direction == .up
        let total = UInt16(truncatingIfNeeded: 20 + tcpCount)
        let lifeAndProtocol = UInt16(timeToLive) << 8 | UInt16(protocolTCP)
        let sum = checksum(0x4500 + UInt64(total) + 0x4000 + UInt64(lifeAndProtocol) + path.addressSum)
        let source = isUp ? path.client.low : path.server.low
        let destination = isUp ? path.server.low : path.client.low
        buffer.append(count: 20) { header in
            // Version 4, five words of header; then "do not fragment", so that identification 0 is ignored (RFC 6864).
            header.store(bigEndian: UInt64(0x4500) << 48 | UInt64(total) << 32 | 0x4000, at: 0)
            header.store(bigEndian: UInt32(lifeAndProtocol) << 16 | UInt32(sum), at: 8)
            header.store(bigEndian: source << 32 | destination & 0xFFFF_FFFF, at: 12)
        }
    }

    @inline(__always)
    private static func appendIPv6(_ segment: Segment, _ path: PacketPath, tcpCount: Int, to buffer: OutputBuffer) {
        let source = segment.direction == .up ? path.client : path.server
        let destination = segment.direction == .up ? path.server : path.client
        let lengthAndLife =
            UInt64(UInt16(truncatingIfNeeded: tcpCount)) << 16 | protocolTCP << 8 | UInt64(timeToLive)
        buffer.append(count: 40) { header in
            header.store(bigEndian: UInt64(0x6000_0000) << 32 | lengthAndLife, at: 0)
            header.store(bigEndian: source.high, at: 8)
            header.store(bigEndian: source.low, at: 16)
            header.store(bigEndian: destination.high, at: 24)
            header.store(bigEndian: destination.low, at: 32)
        }
    }

    @inline(__always)
    private static func appendTCP(
        _ segment: Segment, _ path: PacketPath, tcpCount: Int, payload: RawSpan, to buffer: OutputBuffer
    ) {
        let isUp = segment.direction == .up
        let ports =
            isUp
            ? UInt32(path.clientPort) << 16 | UInt32(path.serverPort)
            : UInt32(path.serverPort) << 16 | UInt32(path.clientPort)
        let lengthAndFlags = UInt16(tcpHeaderCount(segment) / 4) << 12 | UInt16(segment.flags.rawValue)
        let checksumOffset = buffer.count + 16
        buffer.append(count: 20) { header in
            header.store(bigEndian: UInt64(ports) << 32 | UInt64(segment.sequence), at: 0)
            header.store(
                bigEndian: UInt64(segment.acknowledgement) << 32 | UInt64(lengthAndFlags) << 16 | UInt64(window), at: 8)
            // The checksum, patched after the payload, and the urgent pointer.
            header.store(bigEndian: UInt32(0), at: 16)
        }
        // The pseudo-header has the same sum for IPv4 and IPv6 (RFC 9293, section 3.1).
        var sum = path.addressSum + protocolTCP + UInt64(tcpCount)
        sum += UInt64(ports) + UInt64(segment.sequence) + UInt64(segment.acknowledgement)
        sum += UInt64(lengthAndFlags) + UInt64(window)
        if segment.flags.contains(.syn) {
            // The maximum segment size (kind 2; RFC 9293, section 3.2), then a no-operation and the window's scale
            // (kind 3; RFC 7323, section 2.2).
            let maximumSegment = UInt32(0x0204_0000) | UInt32(Segment.largestPayload)
            let scale = UInt32(0x0103_0300) | UInt32(windowScale)
            buffer.append(bigEndian: maximumSegment)
            buffer.append(bigEndian: scale)
            sum += UInt64(maximumSegment) + UInt64(scale)
        }
        if segment.payloadCount > 0 {
            let start = segment.payloadOffset
            sum += buffer.appendSumming(payload.extracting(start..<(start + segment.payloadCount)))
        }
        buffer.patch(bigEndian: checksum(sum), at: checksumOffset)
    }

    /// The ones' complement of a ones'-complement sum (RFC 1071) of 16-bit or 32-bit words, which are equal once the
    /// carries are folded in.
    @inline(__always)
    private static func checksum(_ sum: UInt64) -> UInt16 {
        var folded = (sum & 0xFFFF_FFFF) &+ (sum >> 32)
        folded = (folded & 0xFFFF) &+ (folded >> 16)
        folded = (folded & 0xFFFF) &+ (folded >> 16)
        folded = (folded & 0xFFFF) &+ (folded >> 16)
        return ~UInt16(truncatingIfNeeded: folded)
    }
}
