/// A capture in the classic pcap format: one header, then packets.
struct PcapFile {
    /// The byte order and the resolution of its times.
    struct Kind: Hashable {
        var order: ByteOrder
        var isNanoseconds: Bool

        private static let known: [UInt32: Kind] = [
            0xA1B2_C3D4: Kind(order: .big, isNanoseconds: false),
            0xD4C3_B2A1: Kind(order: .little, isNanoseconds: false),
            0xA1B2_3C4D: Kind(order: .big, isNanoseconds: true),
            0x4D3C_B2A1: Kind(order: .little, isNanoseconds: true),
        ]

        /// The four magic numbers, as bytes.
        static var magics: [[UInt8]] {
            known.keys.map { magic in (0..<4).map { UInt8(truncatingIfNeeded: magic >> (24 - 8 * $0)) } }
        }

        init(order: ByteOrder, isNanoseconds: Bool) {
            self.order = order
            self.isNanoseconds = isNanoseconds
        }

        /// The kind with a magic number, read as big-endian.
        init?(magic: UInt32) {
            guard let kind = Self.known[magic] else { return nil }
            self = kind
        }
    }

    static let headerLength = 24
    private static let packetHeaderLength = 16

    private let kind: Kind
    private let link: UInt32

    init(_ kind: Kind, header: ArraySlice<UInt8>) throws(CaptureError) {
        self.kind = kind
        let major = header.number16(at: 4, kind.order) ?? 0
        let minor = header.number16(at: 6, kind.order) ?? 0
        guard major == 2 else { throw .unknownVersion(offset: 4, version: "\(major).\(minor)") }
        // The upper half is the length of a frame check sequence, the lower half the link type.
        link = (header.number32(at: 20, kind.order) ?? 0) & 0xFFFF
    }

    /// The packet at the start of the bytes and its length with header; nil if it is incomplete.
    func packet(
        in bytes: ArraySlice<UInt8>, offset: UInt64
    ) throws(CaptureError) -> (packet: CapturedPacket, length: Int)? {
        guard let seconds = bytes.number32(at: 0, kind.order), let fraction = bytes.number32(at: 4, kind.order),
            let captured = bytes.number32(at: 8, kind.order), let original = bytes.number32(at: 12, kind.order)
        else { return nil }
        guard captured <= UInt32(CaptureReader.longestBlock) else {
            throw .tooLong(offset: offset, length: UInt64(captured))
        }
        guard let data = bytes.part(at: Self.packetHeaderLength, count: Int(captured)) else { return nil }
        // At most 2³² seconds and a fraction of 2³²: no overflow.
        let time = Int64(seconds) * 1_000_000_000 + Int64(fraction) * (kind.isNanoseconds ? 1 : 1000)
        let packet = CapturedPacket(
            link: link, time: time, bytes: data, originalLength: max(Int(original), Int(captured)))
        return (packet, Self.packetHeaderLength + Int(captured))
    }
}
