/// Finds the TCP segment in a packet: link layer, IPv4 or IPv6 with its extension headers, TCP.
enum PacketLayers {
    /// What a packet turned out to be.
    enum Result {
        case segment(TCPSegment)
        /// Not TCP over IP.
        case other
        /// A fragment of an IP packet.
        case fragment
        /// Its lengths contradict each other.
        case damaged
        /// A link layer that is not read here.
        case unknownLink
    }

    /// Looks at a packet's layers. Numbers of link types are those of tcpdump.org's registry.
    static func read(_ packet: CapturedPacket) -> Result {
        let bytes = packet.bytes
        switch packet.link {
        case 101, 12, 14, 228, 229: return internet(bytes)
        case 1: return ethernet(bytes)
        case 113: return byEtherType(bytes.number16(at: 14), bytes.rest(from: 16))
        case 276: return byEtherType(bytes.number16(at: 0), bytes.rest(from: 20))
        // The four bytes are an address family, a number that systems do not agree on; the IP version says the same.
        case 0, 108: return bytes.count >= 4 ? internet(bytes.rest(from: 4)) : .damaged
        default: return .unknownLink
        }
    }

    // MARK: Link layers

    private static func ethernet(_ bytes: ArraySlice<UInt8>) -> Result {
        var place = 12
        // VLAN tags, of which there may be several (802.1Q, 802.1ad).
        while let type = bytes.number16(at: place), [0x8100, 0x88A8, 0x9100].contains(type) { place += 4 }
        return byEtherType(bytes.number16(at: place), bytes.rest(from: place + 2))
    }

    private static func byEtherType(_ type: UInt16?, _ bytes: ArraySlice<UInt8>) -> Result {
        switch type {
        case 0x0800, 0x86DD: internet(bytes)
        case nil: .damaged
        default: .other
        }
    }

    // MARK: IP

    private static func internet(_ bytes: ArraySlice<UInt8>) -> Result {
        switch bytes.byte(at: 0).map({ $0 >> 4 }) {
        case 4: version4(bytes)
        case 6: version6(bytes)
        case nil: .damaged
        default: .other
        }
    }

    /// RFC 791, section 3.1.
    private static func version4(_ bytes: ArraySlice<UInt8>) -> Result {
        guard let first = bytes.byte(at: 0), let total = bytes.number16(at: 2), let fragment = bytes.number16(at: 6),
            let proto = bytes.byte(at: 9), let source = bytes.number32(at: 12), let destination = bytes.number32(at: 16)
        else { return .damaged }
        guard proto == 6 else { return .other }
        let header = Int(first & 0xF) * 4
        // Segmentation by the network card leaves a total of 0 where the packet is longer than the field can say.
        let length = total == 0 ? bytes.count : Int(total)
        guard header >= 20, length >= header else { return .damaged }
        guard fragment & 0x3FFF == 0 else { return .fragment }
        return tcp(
            bytes.prefix(length).rest(from: header), length: length - header,
            from: TCPEndpoint(high: 0, low: UInt64(source), port: 0, isIPv4: true),
            to: TCPEndpoint(high: 0, low: UInt64(destination), port: 0, isIPv4: true))
    }

    /// RFC 8200, sections 3 and 4.
    private static func version6(_ bytes: ArraySlice<UInt8>) -> Result {
        guard let payload = bytes.number16(at: 4), var next = bytes.byte(at: 6),
            let sourceHigh = bytes.number64(at: 8), let sourceLow = bytes.number64(at: 16),
            let destinationHigh = bytes.number64(at: 24), let destinationLow = bytes.number64(at: 32)
        else { return .damaged }
        var place = 40
        // A jumbogram's length stands elsewhere, and the network card's segmentation leaves 0 here too.
        let end = payload == 0 ? bytes.count : place + Int(payload)
        while next != 6 {
            switch next {
            case 0, 43, 60:
                guard let following = bytes.byte(at: place), let units = bytes.byte(at: place + 1) else {
                    return .damaged
                }
                next = following
                place += (Int(units) + 1) * 8
            case 51:
                guard let following = bytes.byte(at: place), let units = bytes.byte(at: place + 1) else {
                    return .damaged
                }
                next = following
                place += (Int(units) + 2) * 4
            case 44:
                guard let following = bytes.byte(at: place), let part = bytes.number16(at: place + 2) else {
                    return .damaged
                }
                // An offset or more to come; one that has neither is whole (RFC 6946).
                guard part & 0xFFF9 == 0 else { return .fragment }
                next = following
                place += 8
            default: return .other
            }
        }
        guard end >= place else { return .damaged }
        return tcp(
            bytes.prefix(end).rest(from: place), length: end - place,
            from: TCPEndpoint(high: sourceHigh, low: sourceLow, port: 0, isIPv4: false),
            to: TCPEndpoint(high: destinationHigh, low: destinationLow, port: 0, isIPv4: false))
    }

    // MARK: TCP

    private static func tcp(
        _ bytes: ArraySlice<UInt8>, length: Int, from source: TCPEndpoint, to destination: TCPEndpoint
    ) -> Result {
        guard let sourcePort = bytes.number16(at: 0), let destinationPort = bytes.number16(at: 2),
            let sequence = bytes.number32(at: 4), let acknowledgement = bytes.number32(at: 8),
            let header = bytes.byte(at: 12).map({ Int($0 >> 4) * 4 }), let flags = bytes.byte(at: 13),
            header >= 20, header <= length
        else { return .damaged }
        var (source, destination) = (source, destination)
        source.port = sourcePort
        destination.port = destinationPort
        return .segment(
            TCPSegment(
                source: source, destination: destination, sequence: sequence, acknowledgement: acknowledgement,
                flags: TCPSegment.Flags(rawValue: flags), payload: bytes.rest(from: header), length: length - header))
    }
}
