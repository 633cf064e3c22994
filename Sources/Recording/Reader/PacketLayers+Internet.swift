/// IPv4, IPv6 and TCP.
extension PacketLayers {
    mutating func internet(_ bytes: ArraySlice<UInt8>, _ depth: Int) -> Result {
        switch bytes.byte(at: 0).map({ $0 >> 4 }) {
        case 4: version4(bytes, depth)
        case 6: version6(bytes, depth)
        case nil: .damaged
        default: .skipped(.notIP)
        }
    }

    /// The addresses of an IP packet.
    struct Path {
        var source: TCPEndpoint
        var destination: TCPEndpoint
    }

    /// RFC 791, section 3.1.
    private mutating func version4(_ bytes: ArraySlice<UInt8>, _ depth: Int) -> Result {
        guard let first = bytes.byte(at: 0), let total = bytes.number16(at: 2), let fragment = bytes.number16(at: 6),
            let proto = bytes.byte(at: 9), let source = bytes.number32(at: 12), let destination = bytes.number32(at: 16)
        else { return .damaged }
        let header = Int(first & 0xF) * 4
        // With segmentation offload the total is 0 if the packet is longer than the field allows.
        let length = total == 0 ? bytes.count : min(Int(total), bytes.count + cut)
        guard header >= 20, length >= header else { return .damaged }
        let path = Path(
            source: TCPEndpoint(high: 0, low: UInt64(source), port: 0, isIPv4: true),
            destination: TCPEndpoint(high: 0, low: UInt64(destination), port: 0, isIPv4: true))
        let payload = bytes.prefix(length).rest(from: header)
        // A nonzero offset, or the flag for more fragments.
        if fragment & 0x3FFF != 0 {
            let key = FragmentTable.Key(
                sourceLow: UInt64(source), destinationLow: UInt64(destination),
                identification: UInt32(bytes.number16(at: 4) ?? 0), proto: proto, isIPv4: true)
            return fragmented(
                payload, length: length - header, at: Int(fragment & 0x1FFF) * 8, isLast: fragment & 0x2000 == 0, key,
                path, depth)
        }
        if proto == 6 { return tcp(payload, length: length - header, path) }
        return transport(proto, payload, length: length - header, path, depth)
    }

    /// RFC 8200, sections 3 and 4.
    private mutating func version6(_ bytes: ArraySlice<UInt8>, _ depth: Int) -> Result {
        guard let payload = bytes.number16(at: 4), let next = bytes.byte(at: 6),
            let sourceHigh = bytes.number64(at: 8), let sourceLow = bytes.number64(at: 16),
            let destinationHigh = bytes.number64(at: 24), let destinationLow = bytes.number64(at: 32)
        else { return .damaged }
        // 0 in jumbograms and with segmentation offload.
        let length = payload == 0 ? bytes.count - 40 : min(Int(payload), bytes.count - 40 + cut)
        return transport(
            next, bytes.prefix(40 + length).rest(from: 40), length: length,
            Path(
                source: TCPEndpoint(high: sourceHigh, low: sourceLow, port: 0, isIPv4: false),
                destination: TCPEndpoint(high: destinationHigh, low: destinationLow, port: 0, isIPv4: false)), depth)
    }

    /// Skips extension headers and parses the upper layer. `length` is the length of the bytes on the wire.
    private mutating func transport(
        _ proto: UInt8, _ bytes: ArraySlice<UInt8>, length: Int, _ path: Path, _ depth: Int
    ) -> Result {
        var next = proto
        var position = 0
        while true {
            let isVersion6 = !path.source.isIPv4
            switch next {
            case 6: return tcp(bytes.rest(from: position), length: length - position, path)
            // Hop-by-hop options, routing, destination options.
            case 0 where isVersion6, 43 where isVersion6, 60 where isVersion6:
                guard let following = bytes.byte(at: position), let units = bytes.byte(at: position + 1) else {
                    return .damaged
                }
                next = following
                position += (Int(units) + 1) * 8
            // Authentication, which does not encrypt (RFC 4302, section 2.2).
            case 51:
                guard let following = bytes.byte(at: position), let units = bytes.byte(at: position + 1) else {
                    return .damaged
                }
                next = following
                position += (Int(units) + 2) * 4
            case 44 where isVersion6:
                guard let following = bytes.byte(at: position), let part = bytes.number16(at: position + 2),
                    let identification = bytes.number32(at: position + 4)
                else { return .damaged }
                position += 8
                next = following
                // Without an offset and more fragments it is an atomic fragment (RFC 6946).
                guard part & 0xFFF9 != 0 else { continue }
                guard length >= position else { return .damaged }
                let key = FragmentTable.Key(
                    sourceHigh: path.source.high, sourceLow: path.source.low,
                    destinationHigh: path.destination.high, destinationLow: path.destination.low,
                    identification: identification, proto: next, isIPv4: false)
                return fragmented(
                    bytes.rest(from: position), length: length - position, at: Int(part & 0xFFF8),
                    isLast: part & 1 == 0, key, path, depth)
            default: return carried(next, bytes.rest(from: position), path, depth)
            }
        }
    }

    /// Adds a fragment, and continues with the packet if it is complete.
    private mutating func fragmented(
        _ payload: ArraySlice<UInt8>, length: Int, at offset: Int, isLast: Bool, _ key: FragmentTable.Key,
        _ path: Path, _ depth: Int
    ) -> Result {
        // Protocols that cannot carry TCP are reported at once, without reassembly.
        guard Self.canCarryTCP(key.proto) else { return carried(key.proto, [], path, depth) }
        let whole = fragments.add(payload, length: length, at: offset, isLast: isLast, of: key, time: time)
        guard let whole else { return .waiting }
        cut = 0
        let result = inner(depth) {
            $0.transport(key.proto, whole.payload[...], length: whole.payload.count, path, depth + 1)
        }
        guard case .skipped(let cause, _) = result else { return result }
        return .skipped(cause, packets: whole.fragments)
    }

    // MARK: TCP

    private func tcp(_ bytes: ArraySlice<UInt8>, length: Int, _ path: Path) -> Result {
        guard let sourcePort = bytes.number16(at: 0), let destinationPort = bytes.number16(at: 2),
            let sequence = bytes.number32(at: 4), let acknowledgement = bytes.number32(at: 8),
            let header = bytes.byte(at: 12).map({ Int($0 >> 4) * 4 }), let flags = bytes.byte(at: 13),
            header >= 20, header <= length
        else { return .damaged }
        var (source, destination) = (path.source, path.destination)
        source.port = sourcePort
        destination.port = destinationPort
        var segment = TCPSegment(
            source: source, destination: destination, sequence: sequence, acknowledgement: acknowledgement,
            flags: TCPSegment.Flags(rawValue: flags), window: bytes.number16(at: 14) ?? 0,
            payload: bytes.rest(from: header), length: length - header)
        if segment.flags.contains(.syn) { segment.windowScale = Self.windowScale(bytes.prefix(header).rest(from: 20)) }
        return .segment(segment)
    }

    /// The window scale in a SYN's options (RFC 7323, section 2.2), if present.
    private static func windowScale(_ options: ArraySlice<UInt8>) -> UInt8? {
        var rest = options
        while let kind = rest.byte(at: 0), kind != 0 {
            guard kind != 1 else {
                rest = rest.rest(from: 1)
                continue
            }
            guard let size = rest.byte(at: 1), size >= 2 else { return nil }
            // Values above 14 mean 14.
            if kind == 3, let scale = rest.byte(at: 2) { return min(scale, 14) }
            rest = rest.rest(from: Int(size))
        }
        return nil
    }
}
