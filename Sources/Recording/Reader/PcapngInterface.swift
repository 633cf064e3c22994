/// What an interface description says of the packets that name it.
struct PcapngInterface {
    /// The link-layer header type.
    var link: UInt32
    /// How many bytes of a packet were kept at most; 0: all.
    var snapLength: UInt32
    /// Its name (`if_name`), cut after 256 bytes.
    var name = ""
    /// `if_tsresol`, as it stands: the top bit says that the unit is a power of two. Microseconds when it is absent.
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
            case 2: name = String(decoding: value.prefix(256), as: UTF8.self)
            case 9: resolution = value.byte(at: 0) ?? resolution
            case 14: offset = value.number64(at: 0, order).map { Int64(bitPattern: $0) } ?? 0
            default: break
            }
        }
    }

    /// Nanoseconds since 1970 UTC of a count of this interface's units, as near as 64 bits come to it.
    func nanoseconds(high: UInt32, low: UInt32) -> Int64 {
        let units = UInt64(high) << 32 | UInt64(low)
        // 64 bits by a number under 2³⁰ fit 128.
        let scaled = UInt128(units) * 1_000_000_000
        let exponent = Int(resolution & 0x7F)
        let nanoseconds: UInt128 =
            resolution & 0x80 != 0 ? scaled >> UInt128(exponent) : scaled / Self.powerOfTen(exponent)
        let seconds = offset.multipliedReportingOverflow(by: 1_000_000_000)
        let shift = seconds.overflow ? (offset < 0 ? Int64.min : Int64.max) : seconds.partialValue
        let sum = Int64(clamping: nanoseconds).addingReportingOverflow(shift)
        return sum.overflow ? (shift < 0 ? Int64.min : Int64.max) : sum.partialValue
    }

    /// 10 to the exponent; the greatest power that fits for one that does not, and what is divided by it is 0 anyway.
    private static func powerOfTen(_ exponent: Int) -> UInt128 {
        (0..<min(exponent, 38)).reduce(1) { power, _ in power * 10 }
    }
}

/// The options at a block's end.
enum PcapngOptions {
    /// Calls the body with every whole option, in order.
    static func read(_ options: ArraySlice<UInt8>, _ order: ByteOrder, _ body: (UInt16, ArraySlice<UInt8>) -> Void) {
        var rest = options
        while let code = rest.number16(at: 0, order), code != 0, let length = rest.number16(at: 2, order),
            let value = rest.part(at: 4, count: Int(length))
        {
            body(code, value)
            // Padded to four bytes: at least four are passed, so this ends.
            rest = rest.rest(from: 4 + (Int(length) + 3) / 4 * 4)
        }
    }
}
