internal import Sockets

/// The blocks of a pcapng file, as the IETF draft "PCAP Now Generic (pcapng) Capture File Format" has them: every block is
/// little-endian, padded to four bytes with zeros, and begins and ends with its length.
struct PcapngBlock {
    /// Kinds of blocks (sections 4.1 to 4.6 of the draft).
    enum Kind: UInt32 {
        case section = 0x0A0D_0D0A
        case interface = 1
        case names = 4
        case statistics = 5
        case packet = 6
    }

    /// The codes of options that Tapline writes (sections 3.5 and 4 of the draft); several blocks share numbers.
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

    /// LINKTYPE_RAW: packets begin with their IPv4 or IPv6 header.
    static let linkTypeRaw: UInt16 = 101

    private let start: Int

    /// Begins a block at the buffer's end.
    @inline(__always)
    init(_ kind: Kind, in buffer: OutputBuffer) {
        start = buffer.count
        buffer.append(littleEndian: UInt64(kind.rawValue))
    }

    /// Ends the block, after padding what came last.
    @inline(__always)
    func end(in buffer: OutputBuffer) {
        let length = UInt32(truncatingIfNeeded: buffer.count - start + 4)
        buffer.append(littleEndian: length)
        buffer.patch(littleEndian: length, at: start + 4)
    }

    /// Ends the options, and with them the block.
    @inline(__always)
    func endWithOptions(in buffer: OutputBuffer) {
        let length = UInt32(truncatingIfNeeded: buffer.count - start + 8)
        // The option that ends the options is a zero of 32 bits.
        buffer.append(littleEndian: UInt64(length) << 32)
        buffer.patch(littleEndian: length, at: start + 4)
    }
}

extension OutputBuffer {
    /// Appends a moment in nanoseconds since 1970, in the two halves that blocks have.
    @inline(__always)
    func append(pcapngTime time: Int64) {
        let units = UInt64(max(0, time))
        append(littleEndian: UInt32(truncatingIfNeeded: units >> 32))
        append(littleEndian: UInt32(truncatingIfNeeded: units))
    }

    /// Appends the head of an option; its value and its padding follow.
    @inline(__always)
    func append(option: PcapngBlock.Option, count: Int) {
        append(littleEndian: UInt32(option.rawValue) | UInt32(truncatingIfNeeded: count) << 16)
    }

    /// Appends an option that is text. A length has 16 bits: what is longer is cut at the end of a character.
    func append(option: PcapngBlock.Option, text: String) {
        var text = Substring(text)
        while text.utf8.count > Int(UInt16.max) { text = text.dropLast(max(1, (text.utf8.count - 65_535) / 4)) }
        append(option: option, count: text.utf8.count)
        append(Array(text.utf8))
        padToFour()
    }

    /// Appends an option that is a number of 32 bits.
    @inline(__always)
    func append(option: PcapngBlock.Option, number: UInt32) {
        append(littleEndian: UInt64(option.rawValue) | 4 << 16 | UInt64(number) << 32)
    }

    /// Appends an option that is a number of 64 bits.
    @inline(__always)
    func append(option: PcapngBlock.Option, number: UInt64) {
        append(option: option, count: 8)
        append(littleEndian: number)
    }
}
