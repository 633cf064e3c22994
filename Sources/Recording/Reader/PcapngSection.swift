/// A section of a pcapng file: its byte order and interfaces. A file may have several; each section header resets them.
struct PcapngSection {
    /// The type of a section header block, the same in both byte orders.
    static let headerType: UInt32 = 0x0A0D_0D0A
    private static let byteOrderMark: UInt32 = 0x1A2B_3C4D
    /// The limit of interfaces; packets of further ones count as damaged.
    private static let mostInterfaces = 65_536
    /// The limits of a packet's comments and of the bytes of each.
    private static let mostComments = 16
    private static let longestComment = 4096

    private var order = ByteOrder.little
    private var interfaces: [PcapngInterface] = []
    /// The time of the last packet, used for blocks without a time.
    private var lastTime: Int64 = 0

    private enum BlockType {
        static let interface: UInt32 = 1
        static let oldPacket: UInt32 = 2
        static let simplePacket: UInt32 = 3
        static let enhancedPacket: UInt32 = 6
    }

    // MARK: Framing

    /// The length of the block at the start of the bytes; nil if it is incomplete.
    mutating func length(ofBlockIn bytes: ArraySlice<UInt8>, offset: UInt64) throws(CaptureError) -> Int? {
        guard let type = bytes.number32(at: 0) else { return nil }
        if type == Self.headerType {
            // The byte order, which follows the length, must be known first.
            guard let mark = bytes.number32(at: 8) else { return nil }
            switch mark {
            case Self.byteOrderMark: order = .big
            case Self.byteOrderMark.byteSwapped: order = .little
            default: throw .noByteOrder(offset: offset)
            }
        }
        guard let length = bytes.number32(at: 4, order) else { return nil }
        guard length >= 12, length % 4 == 0 else {
            throw .impossibleLength(offset: offset, length: UInt64(length))
        }
        guard length <= UInt32(CaptureReader.longestBlock) else {
            throw .tooLong(offset: offset, length: UInt64(length))
        }
        return Int(length) <= bytes.count ? Int(length) : nil
    }

    /// Reads a complete block.
    mutating func read(_ block: ArraySlice<UInt8>, offset: UInt64) throws(CaptureError) -> CaptureReader.Step {
        let last = block.number32(at: block.count - 4, order) ?? 0
        guard Int(last) == block.count else {
            throw .lengthsDiffer(offset: offset, first: UInt64(block.count), last: UInt64(last))
        }
        switch block.number32(at: 0, order) {
        case Self.headerType:
            try begin(block, offset: offset)
            return .nothing
        case BlockType.interface:
            guard interfaces.count < Self.mostInterfaces, let interface = PcapngInterface(block: block, order) else {
                return .damaged
            }
            interfaces.append(interface)
            return .nothing
        case BlockType.enhancedPacket: return enhancedPacket(block)
        case BlockType.oldPacket: return oldPacket(block)
        case BlockType.simplePacket: return simplePacket(block)
        default: return .nothing
        }
    }

    private mutating func begin(_ block: ArraySlice<UInt8>, offset: UInt64) throws(CaptureError) {
        guard let major = block.number16(at: 12, order), let minor = block.number16(at: 14, order), block.count >= 28
        else { throw .impossibleLength(offset: offset, length: UInt64(block.count)) }
        // Some writers use minor version 2, which means the same as 0.
        guard major == 1 else { throw .unknownVersion(offset: offset, version: "\(major).\(minor)") }
        interfaces = []
        lastTime = 0
    }

    // MARK: Packets

    private mutating func enhancedPacket(_ block: ArraySlice<UInt8>) -> CaptureReader.Step {
        guard let number = block.number32(at: 8, order) else { return .damaged }
        return packet(block, interface: Int(number))
    }

    /// The obsolete packet block, whose interface ID has 16 bits.
    private mutating func oldPacket(_ block: ArraySlice<UInt8>) -> CaptureReader.Step {
        guard let number = block.number16(at: 8, order) else { return .damaged }
        return packet(block, interface: Int(number))
    }

    private mutating func packet(_ block: ArraySlice<UInt8>, interface number: Int) -> CaptureReader.Step {
        guard number < interfaces.count, let high = block.number32(at: 12, order),
            let low = block.number32(at: 16, order), let captured = block.number32(at: 20, order),
            let original = block.number32(at: 24, order),
            let data = block.dropLast(4).part(at: 28, count: Int(captured))
        else { return .damaged }
        lastTime = interfaces[number].nanoseconds(high: high, low: low)
        var packet = CapturedPacket(
            link: interfaces[number].link, time: lastTime, bytes: data,
            originalLength: max(Int(original), Int(captured)))
        let options = block.dropLast(4).rest(from: 28 + (Int(captured) + 3) / 4 * 4)
        if !options.isEmpty { readOptions(options, into: &packet) }
        return .packet(packet)
    }

    private func readOptions(_ options: ArraySlice<UInt8>, into packet: inout CapturedPacket) {
        PcapngOptions.read(options, order) { code, value in
            switch code {
            case 1:
                guard packet.comments.count < Self.mostComments else { return }
                packet.comments.append(String(decoding: value.prefix(Self.longestComment), as: UTF8.self))
            case 2:
                switch value.number32(at: 0, order).map({ $0 & 3 }) {
                case 1: packet.isInbound = true
                case 2: packet.isInbound = false
                default: break
                }
            default: break
            }
        }
    }

    /// A simple packet block, which has no time and belongs to the first interface.
    private mutating func simplePacket(_ block: ArraySlice<UInt8>) -> CaptureReader.Step {
        guard let interface = interfaces.first, let original = block.number32(at: 8, order) else { return .damaged }
        let room = block.count - 16
        let kept = interface.snapLength == 0 ? original : min(original, interface.snapLength)
        guard let data = block.part(at: 12, count: Int(kept)), Int(kept) <= room else { return .damaged }
        return .packet(
            CapturedPacket(
                link: interface.link, time: lastTime, bytes: data, originalLength: max(Int(original), data.count)))
    }
}
