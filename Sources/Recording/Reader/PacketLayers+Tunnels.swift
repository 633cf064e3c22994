/// IP protocols other than TCP: tunnels are parsed, the others are reported.
extension PacketLayers {
    /// Whether an IP protocol can contain TCP. Option and authentication headers may follow a fragment header (RFC
    /// 8200, section 4.1).
    static func canCarryTCP(_ proto: UInt8) -> Bool {
        switch proto {
        case 0, 4, 6, 17, 41, 43, 47, 51, 60, 97, 137: true
        default: false
        }
    }

    /// Parses the payload of IP by its protocol number.
    mutating func carried(_ proto: UInt8, _ bytes: ArraySlice<UInt8>, _ path: Path, _ depth: Int) -> Result {
        switch proto {
        // IP in IP (RFC 2003, RFC 2473, RFC 4213).
        case 4, 41: return inner(depth) { $0.internet(bytes, depth + 1) }
        case 17: return datagram(bytes, depth)
        case 47: return genericRouting(bytes, depth)
        // Ethernet in IP (RFC 3378): a version of 2 bytes, then a frame.
        case 97: return inner(depth) { $0.ethernet(bytes.rest(from: 2), depth + 1) }
        // RFC 4023.
        case 137: return inner(depth) { $0.labelled(bytes, depth + 1) }
        case 50: return .skipped(.tunnel(.esp))
        case 108: return .skipped(.tunnel(.ipComp))
        case 115: return .skipped(.tunnel(.l2tp))
        default: return .skipped(.ipProtocol(proto))
        }
    }

    // MARK: GRE

    /// GRE (RFC 2784) with the key and sequence number of RFC 2890, and PPTP's version 1 (RFC 2637).
    private mutating func genericRouting(_ bytes: ArraySlice<UInt8>, _ depth: Int) -> Result {
        guard let flags = bytes.number16(at: 0), let type = bytes.number16(at: 2) else { return .damaged }
        // Source routes of RFC 1701, which are not in use.
        guard flags & 0x4000 == 0 else { return .skipped(.tunnel(.gre)) }
        var position = 4
        // Checksum, key, sequence number.
        for flag in [0x8000, 0x2000, 0x1000] as [UInt16] where flags & flag != 0 { position += 4 }
        switch flags & 7 {
        case 0: break
        case 1:
            if flags & 0x80 != 0 { position += 4 }
            let rest = bytes.rest(from: position)
            // Without a payload it is an acknowledgement.
            guard flags & 0x1000 != 0, type == 0x880B else { return .skipped(.ipProtocol(47)) }
            return inner(depth) { $0.pointToPoint(rest, depth + 1) }
        default: return .skipped(.tunnel(.gre))
        }
        let rest = bytes.rest(from: position)
        switch type {
        // ERSPAN (draft-foschiano-erspan): type I has no header and no sequence number, type II a header of 8 bytes,
        // type III one of 12 bytes and an optional one of 8.
        case 0x88BE: return inner(depth) { $0.ethernet(flags & 0x1000 == 0 ? rest : rest.rest(from: 8), depth + 1) }
        case 0x22EB:
            let count = rest.byte(at: 11).map { $0 & 1 == 1 ? 20 : 12 } ?? 12
            return inner(depth) { $0.ethernet(rest.rest(from: count), depth + 1) }
        // Cisco's WCCP: IP, with 4 bytes before it in version 2.
        case 0x883E:
            let isPlain = rest.byte(at: 0).map { $0 >> 4 == 4 } ?? false
            return inner(depth) { $0.internet(isPlain ? rest : rest.rest(from: 4), depth + 1) }
        // Cisco's keep-alives are empty.
        case 0: return .skipped(.ipProtocol(47))
        default: return inner(depth) { $0.byProtocolType(type, rest, depth + 1) }
        }
    }

    // MARK: UDP

    /// Tunnels over UDP, by their ports and header formats; other datagrams contain no TCP.
    private mutating func datagram(_ bytes: ArraySlice<UInt8>, _ depth: Int) -> Result {
        let plain = Result.skipped(.ipProtocol(17))
        guard let source = bytes.number16(at: 0), let port = bytes.number16(at: 2) else { return plain }
        let rest = bytes.rest(from: 8)
        switch port {
        // RFC 7348; Linux's default port is older than the registered one.
        case 4789, 8472: return virtualLAN(rest, depth) ?? plain
        case 4790: return virtualLANWithType(rest, depth) ?? plain
        case 6081: return generic(rest, depth) ?? plain
        // RFC 7510.
        case 6635: return inner(depth) { $0.labelled(rest, depth + 1) }
        case 2152 where rest.byte(at: 0).map { $0 >> 5 == 1 } ?? false: return mobileData(rest, depth)
        case 1701: return layer2(rest, depth)
        case _ where source == 1701: return layer2(rest, depth)
        case 3544: return teredo(rest, depth)
        case _ where source == 3544: return teredo(rest, depth)
        // Four zero bytes mark a key exchange; a single byte is a keep-alive.
        case _ where (port == 4500 || source == 4500) && rest.count > 4 && rest.number32(at: 0) != 0:
            return .skipped(.tunnel(.espInUDP))
        case _ where port == 51820 || source == 51820: return .skipped(.tunnel(.wireGuard))
        default: return plain
        }
    }

    /// VXLAN (RFC 7348, section 5); nil if it is not.
    private mutating func virtualLAN(_ bytes: ArraySlice<UInt8>, _ depth: Int) -> Result? {
        guard let flags = bytes.byte(at: 0), flags & 0x08 != 0, bytes.count >= 8 else { return nil }
        return inner(depth) { $0.ethernet(bytes.rest(from: 8), depth + 1) }
    }

    /// VXLAN-GPE (draft-ietf-nvo3-vxlan-gpe, section 3.1): the last byte of the first word is the payload's type.
    private mutating func virtualLANWithType(_ bytes: ArraySlice<UInt8>, _ depth: Int) -> Result? {
        guard let flags = bytes.byte(at: 0), flags & 0x08 != 0, bytes.count >= 8 else { return nil }
        let rest = bytes.rest(from: 8)
        switch flags & 0x04 == 0 ? 3 : bytes.byte(at: 3) {
        case 1, 2: return inner(depth) { $0.internet(rest, depth + 1) }
        case 3: return inner(depth) { $0.ethernet(rest, depth + 1) }
        case 4: return .skipped(.tunnel(.nsh))
        case 5: return inner(depth) { $0.labelled(rest, depth + 1) }
        default: return .skipped(.tunnel(.vxlan))
        }
    }

    /// Geneve (RFC 8926, section 3.4); nil if it is not.
    private mutating func generic(_ bytes: ArraySlice<UInt8>, _ depth: Int) -> Result? {
        guard let first = bytes.byte(at: 0), let type = bytes.number16(at: 2), bytes.count >= 8 else { return nil }
        guard first >> 6 == 0 else { return .skipped(.tunnel(.geneve)) }
        let options = Int(first & 0x3F) * 4
        return inner(depth) { $0.byProtocolType(type, bytes.rest(from: 8 + options), depth + 1) }
    }

    /// GTP-U (3GPP TS 29.281, section 5): user data is message 255, after extension headers in units of 4 bytes.
    private mutating func mobileData(_ bytes: ArraySlice<UInt8>, _ depth: Int) -> Result {
        guard let flags = bytes.byte(at: 0), bytes.byte(at: 1) == 255 else { return .skipped(.tunnel(.gtp)) }
        var position = 8
        if flags & 0x07 != 0 {
            position = 12
            var next = flags & 0x04 != 0 ? bytes.byte(at: 11) : 0
            while let type = next, type != 0 {
                guard let units = bytes.byte(at: position), units > 0 else { return .skipped(.tunnel(.gtp)) }
                position += Int(units) * 4
                next = bytes.byte(at: position - 1)
            }
        }
        return inner(depth) { $0.internet(bytes.rest(from: position), depth + 1) }
    }

    /// L2TP version 2 (RFC 2661, section 3.1): data messages carry the point-to-point protocol.
    private mutating func layer2(_ bytes: ArraySlice<UInt8>, _ depth: Int) -> Result {
        guard let flags = bytes.number16(at: 0), flags & 0xF == 2, flags & 0x8000 == 0 else {
            return .skipped(.tunnel(.l2tp))
        }
        // The length, the tunnel and the session, the sequence numbers, the offset.
        var position = flags & 0x4000 != 0 ? 8 : 6
        if flags & 0x0800 != 0 { position += 4 }
        if flags & 0x0200 != 0 { position += 2 + Int(bytes.number16(at: position) ?? 0) }
        return inner(depth) { $0.pointToPoint(bytes.rest(from: position), depth + 1) }
    }

    /// Teredo (RFC 4380, section 5.1.1): IPv6 after an optional origin indication of 8 bytes.
    private mutating func teredo(_ bytes: ArraySlice<UInt8>, _ depth: Int) -> Result {
        let rest = bytes.number16(at: 0) == 0 ? bytes.rest(from: 8) : bytes
        guard let first = rest.byte(at: 0), first >> 4 == 6 else { return .skipped(.tunnel(.teredo)) }
        return inner(depth) { $0.internet(rest, depth + 1) }
    }
}
