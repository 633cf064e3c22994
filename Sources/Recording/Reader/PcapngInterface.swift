/// An interface description block.
struct PcapngInterface {
    /// The link-layer header type.
    var link: UInt32
    /// The largest number of bytes kept of a packet; 0: all.
    var snapLength: UInt32
    /// `if_tsresol`, undecoded: the top bit marks a power of two. The default is microseconds.
    private var resolution: UInt8 = 6
    /// `if_tsoffset`, seconds to add.
    private var offset: Int64 = 0

    init?(block: ArraySlice<UInt8>, _ order: ByteOrder) {
        guard let link = block.number16(at: 8, order), let snapLength = block.number32(at: 12, order) else {
            return nil
        }
        self.link = UInt32(link)
        self.snapLength = snapLength
        PcapngOptions.read(block.dropLast(4).rest(from: 16), order) { code, value in
            switch code {
            case 9: resolution = value.byte(at: 0) ?? resolution
            case 14: offset = value.number64(at: 0, order).map { Int64(bitPattern: $0) } ?? 0
            default: break
            }
        }
    }

    /// Converts a count of this interface's units to nanoseconds since 1970 UTC, clamped to 64 bits.
    func nanoseconds(high: UInt32, low: UInt32) -> Int64 {
        let units = UInt64(high) << 32 | UInt64(low)
        // 64 bits times a number below 2³⁰ fit into 128 bits.
        let scaled = UInt128(units) * 1_000_000_000
        let exponent = Int(resolution & 0x7F)
        let nanoseconds: UInt128 =
            resolution & 0x80 != 0 ? scaled >> UInt128(exponent) : scaled / Self.powerOfTen(exponent)
        let seconds = offset.multipliedReportingOverflow(by: 1_000_000_000)
        let shift = seconds.overflow ? (offset < 0 ? Int64.min : Int64.max) : seconds.partialValue
        let sum = Int64(clamping: nanoseconds).addingReportingOverflow(shift)
        return sum.overflow ? (shift < 0 ? Int64.min : Int64.max) : sum.partialValue
    }

    /// 10 to the exponent. Too large exponents yield the largest power that fits; the quotient is 0 anyway.
    private static func powerOfTen(_ exponent: Int) -> UInt128 {
        (0..<min(exponent, 38)).reduce(1) { power, _ in power * 10 }
    }
}

/// The options at the end of a block.
enum PcapngOptions {
    /// Calls the body with every complete option, in order.
    static func read(_ options: ArraySlice<UInt8>, _ order: ByteOrder, _ body: (UInt16, ArraySlice<UInt8>) -> Void) {
        var rest = options
        while let code = rest.number16(at: 0, order), code != 0, let length = rest.number16(at: 2, order),
            let value = rest.part(at: 4, count: Int(length))
        {
            body(code, value)
            // Options are padded to four bytes. Each iteration skips at least four, so the loop ends.
            rest = rest.rest(from: 4 + (Int(length) + 3) / 4 * 4)
        }
    }
}
