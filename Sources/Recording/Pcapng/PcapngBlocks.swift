internal import Sockets

/// A block of a pcapng file (IETF draft "PCAP Now Generic (pcapng) Capture File Format"): little-endian, padded to four
/// bytes with zeros, with its length at the beginning and the end.
struct PcapngBlock {
    /// Block types (sections 4.1 to 4.7 of the draft).
    enum Kind: UInt32 {
        case section = 0x0A0D_0D0A
        case interface = 1
        case names = 4
        case statistics = 5
        case packet = 6
        case secrets = 0x0A
    }

    /// The option codes that Tapline writes (sections 3.5 and 4 of the draft); their meaning depends on the block.
    enum Option: UInt16 {
        case comment = 1
        /// `if_name`, and `epb_flags`, and `isb_starttime`.
        case second = 2
        /// `shb_os`, `if_description`, `isb_endtime`.
        case third = 3
        /// `shb_userappl`, `epb_dropcount`, `isb_ifrecv`.
        case fourth = 4
        /// `isb_ifdrop`.
        case fifth = 5
        /// `if_tsresol`.
        case timeResolution = 9
    }

    /// LINKTYPE_RAW: packets begin with an IPv4 or IPv6 header.
    static let linkTypeRaw: UInt16 = 101
    /// The secrets type of a TLS key log (section 4.7 of the draft): `TLSK`.
    static let secretsOfTLS: UInt32 = 0x544C_534B

    private let start: Int

    /// Begins a block at the end of the buffer.
    @inline(__always)
    init(_ kind: Kind, in buffer: OutputBuffer) {
        start = buffer.count
        buffer.append(littleEndian: UInt64(kind.rawValue))
    }

    /// Ends the block, whose contents must be padded.
    @inline(__always)
    func end(in buffer: OutputBuffer) {
        let length = UInt32(truncatingIfNeeded: buffer.count - start + 4)
        buffer.append(littleEndian: length)
        buffer.patch(littleEndian: length, at: start + 4)
    }

    /// Ends the options and the block.
    @inline(__always)
    func endWithOptions(in buffer: OutputBuffer) {
        let length = UInt32(truncatingIfNeeded: buffer.count - start + 8)
        // opt_endofopt is 32 zero bits.
        buffer.append(littleEndian: UInt64(length) << 32)
        buffer.patch(littleEndian: length, at: start + 4)
    }
}

extension OutputBuffer {
    /// Appends a time, nanoseconds since 1970, as two 32-bit halves.
    @inline(__always)
    func append(pcapngTime time: Int64) {
        let units = UInt64(max(0, time))
        append(littleEndian: UInt32(truncatingIfNeeded: units >> 32))
        append(littleEndian: UInt32(truncatingIfNeeded: units))
    }

    /// Appends the header of an option; the value and padding follow.
    @inline(__always)
    func append(option: PcapngBlock.Option, count: Int) {
        append(littleEndian: UInt32(option.rawValue) | UInt32(truncatingIfNeeded: count) << 16)
    }

    /// Appends a text option. The length has 16 bits, so longer text is cut after a whole character.
    func append(option: PcapngBlock.Option, text: String) {
        var text = Substring(text)
        while text.utf8.count > Int(UInt16.max) { text = text.dropLast(max(1, (text.utf8.count - 65_535) / 4)) }
        append(option: option, count: text.utf8.count)
        append(Array(text.utf8))
        padToFour()
    }

    /// Appends a 32-bit option.
    @inline(__always)
    func append(option: PcapngBlock.Option, number: UInt32) {
        append(littleEndian: UInt64(option.rawValue) | 4 << 16 | UInt64(number) << 32)
    }

    /// Appends a 64-bit option.
    @inline(__always)
    func append(option: PcapngBlock.Option, number: UInt64) {
        append(option: option, count: 8)
        append(littleEndian: number)
    }
}
