/// Finds the TCP segment in a packet: parses the link layer, tunnels, IPv4 or IPv6 with extension headers and
/// fragments, and TCP.
///
/// Owned by a reader, because it holds incomplete fragments; one thread at a time.
struct PacketLayers {
    /// The result of parsing a packet.
    enum Result {
        case segment(TCPSegment)
        /// No TCP segment, and the number of packets: all fragments of a packet are counted when it is complete.
        case skipped(SkipCause, packets: UInt64)
        /// A fragment, which is counted when its packet is complete or discarded.
        case waiting
    }

    /// The deepest nesting of tunnels; a packet of 16 MiB could contain millions.
    static let deepest = 12

    var fragments = FragmentTable()
    /// The capture time of the packet.
    var time: Int64 = 0
    /// The number of bytes that the capture truncated, which bounds the lengths inside the packet.
    var cut = 0

    /// Fragments of incomplete IP packets.
    var incompleteFragments: UInt64 { fragments.incomplete }

    /// Parses a packet's layers. Link types are numbers of tcpdump.org's registry.
    mutating func read(_ packet: CapturedPacket) -> Result {
        time = packet.time
        cut = packet.originalLength - packet.bytes.count
        let bytes = packet.bytes
        switch packet.link {
        case 101, 12, 14, 228, 229: return internet(bytes, 0)
        case 1: return ethernet(bytes, 0)
        case 113: return byProtocolType(bytes.number16(at: 14), bytes.rest(from: 16), 0)
        case 276: return byProtocolType(bytes.number16(at: 0), bytes.rest(from: 20), 0)
        // The four bytes are an address family, whose numbers differ between systems; the IP version is used instead.
        case 0, 108: return bytes.count >= 4 ? internet(bytes.rest(from: 4), 0) : .damaged
        case 239: return netfilterLog(bytes)
        default: return .skipped(.link(packet.link))
        }
    }

    // MARK: Link layers

    mutating func ethernet(_ bytes: ArraySlice<UInt8>, _ depth: Int) -> Result {
        byProtocolType(bytes.number16(at: 12), bytes.rest(from: 14), depth)
    }

    /// Parses the contents after an EtherType, or after a length or a Linux number in its place.
    mutating func byProtocolType(_ type: UInt16?, _ bytes: ArraySlice<UInt8>, _ depth: Int) -> Result {
        if type == 0x0800 { return internet(bytes, depth) }
        var (tag, bytes) = (type, bytes)
        // Any number of VLAN tags.
        while let type = tag, Self.isVLAN(type) {
            tag = bytes.number16(at: 2)
            bytes = bytes.rest(from: 4)
        }
        guard let type = tag else { return .damaged }
        switch type {
        case 0x0800, 0x86DD: return internet(bytes, depth)
        case 0x8864: return pointToPointOverEthernet(bytes, depth)
        case 0x8847, 0x8848: return labelled(bytes, depth)
        // Provider backbone bridging (802.1ah): a tag of 4 bytes, then a frame.
        case 0x88E7: return inner(depth) { $0.ethernet(bytes.rest(from: 4), depth + 1) }
        // Transparent Ethernet bridging, in GRE and Geneve.
        case 0x6558: return inner(depth) { $0.ethernet(bytes, depth + 1) }
        case 0x88E5: return .skipped(.tunnel(.macsec))
        case 0x894F: return .skipped(.tunnel(.nsh))
        // Linux's number of 802.2 in cooked captures (linux/if_ether.h, ETH_P_802_2).
        case 0x0004: return linkControl(bytes, depth)
        // 802.3: a length of at most 1500 bytes; the rest is padding.
        case 0...1500: return linkControl(bytes.prefix(Int(type)), depth)
        default: return .skipped(.etherType(type))
        }
    }

    /// 802.1Q, 802.1ad and earlier numbers.
    private static func isVLAN(_ type: UInt16) -> Bool {
        switch type {
        case 0x8100, 0x88A8, 0x9100, 0x9200, 0x9300: true
        default: false
        }
    }

    /// IEEE 802.2, with the subnetwork access protocol (RFC 1042).
    private mutating func linkControl(_ bytes: ArraySlice<UInt8>, _ depth: Int) -> Result {
        guard let destination = bytes.byte(at: 0), let source = bytes.byte(at: 1), let control = bytes.byte(at: 2)
        else { return .damaged }
        switch (destination, source, control) {
        case (0xAA, 0xAA, 0x03):
            guard let high = bytes.number16(at: 3), let low = bytes.byte(at: 5), let type = bytes.number16(at: 6)
            else { return .damaged }
            // The organisation codes of encapsulated Ethernet and of bridge tunnels; others define their own types.
            guard high == 0, low == 0 || low == 0xF8, type > 1500 else { return .skipped(.linkControl) }
            return inner(depth) { $0.byProtocolType(type, bytes.rest(from: 8), depth + 1) }
        // RFC 948.
        case (0x06, 0x06, 0x03): return internet(bytes.rest(from: 3), depth)
        default: return .skipped(.linkControl)
        }
    }

    /// RFC 2516, section 4, then the point-to-point protocol.
    private mutating func pointToPointOverEthernet(_ bytes: ArraySlice<UInt8>, _ depth: Int) -> Result {
        guard let code = bytes.byte(at: 1), let length = bytes.number16(at: 4) else { return .damaged }
        guard code == 0 else { return .skipped(.etherType(0x8864)) }
        return pointToPoint(bytes.rest(from: 6).prefix(Int(length)), depth)
    }

    /// The protocol field of RFC 1661, section 2, which may be compressed to one byte, after the optional address and
    /// control bytes of RFC 1662.
    mutating func pointToPoint(_ bytes: ArraySlice<UInt8>, _ depth: Int) -> Result {
        let bytes = bytes.number16(at: 0) == 0xFF03 ? bytes.rest(from: 2) : bytes
        guard let first = bytes.byte(at: 0) else { return .damaged }
        let isShort = first & 1 == 1
        guard let type = isShort ? UInt16(first) : bytes.number16(at: 0) else { return .damaged }
        let rest = bytes.rest(from: isShort ? 1 : 2)
        switch type {
        case 0x0021, 0x0057: return internet(rest, depth)
        case 0x0281, 0x0283: return labelled(rest, depth)
        default: return .skipped(.pointToPoint)
        }
    }

    /// MPLS labels (RFC 3032), to the bottom of the stack. Labels do not name the payload; its first four bits
    /// distinguish IP from a pseudowire's control word (RFC 4385), which precedes a frame.
    mutating func labelled(_ bytes: ArraySlice<UInt8>, _ depth: Int) -> Result {
        var rest = bytes
        while let label = rest.number32(at: 0) {
            rest = rest.rest(from: 4)
            guard label & 0x100 != 0 else { continue }
            switch rest.byte(at: 0).map({ $0 >> 4 }) {
            case 4, 6: return internet(rest, depth)
            case 0: return inner(depth) { $0.ethernet(rest.rest(from: 4), depth + 1) }
            case nil: return .damaged
            default: return inner(depth) { $0.ethernet(rest, depth + 1) }
            }
        }
        return .damaged
    }

    /// Netfilter's log (LINKTYPE_NFLOG): a header of 4 bytes, then type-length-value triples in the byte order of the
    /// capturing machine; type 9 is the packet.
    private mutating func netfilterLog(_ bytes: ArraySlice<UInt8>) -> Result {
        guard bytes.count >= 4 else { return .damaged }
        for order in [ByteOrder.little, .big] {
            var rest = bytes.rest(from: 4)
            while let length = rest.number16(at: 0, order), let type = rest.number16(at: 2, order), length >= 4 {
                if type & 0x7FFF == 9, let packet = rest.part(at: 4, count: Int(length) - 4) {
                    return internet(packet, 0)
                }
                // A truncated packet is the last triple.
                if type & 0x7FFF == 9, Int(length) > rest.count, rest.count > 4, Int(length) < 1 << 16,
                    let version = rest.byte(at: 4), [4, 6].contains(version >> 4)
                {
                    return internet(rest.rest(from: 4), 0)
                }
                rest = rest.rest(from: (Int(length) + 3) / 4 * 4)
            }
        }
        return .skipped(.link(239))
    }

    // MARK: Depth

    /// Parses the contents of a tunnel, unless the nesting is too deep.
    mutating func inner(_ depth: Int, _ read: (inout PacketLayers) -> Result) -> Result {
        guard depth < Self.deepest else { return .skipped(.tunnel(.nested)) }
        return read(&self)
    }
}

extension PacketLayers.Result {
    static func skipped(_ cause: SkipCause) -> PacketLayers.Result { .skipped(cause, packets: 1) }
    static var damaged: PacketLayers.Result { .skipped(.damaged) }
}
