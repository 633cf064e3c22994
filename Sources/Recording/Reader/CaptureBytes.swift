/// The byte order of numbers.
enum ByteOrder: Hashable, Sendable {
    case little, big
}

/// Numbers in untrusted bytes. Offsets count from the start of the slice; one outside it yields nil, so that no capture
/// can cause a trap.
extension ArraySlice<UInt8> {
    /// The byte at an offset.
    @inline(__always)
    func byte(at offset: Int) -> UInt8? {
        guard offset >= 0, offset < count else { return nil }
        return self[startIndex + offset]
    }

    /// 16 bits at an offset.
    @inline(__always)
    func number16(at offset: Int, _ order: ByteOrder = .big) -> UInt16? { number(at: offset, order) }

    /// 32 bits at an offset.
    @inline(__always)
    func number32(at offset: Int, _ order: ByteOrder = .big) -> UInt32? { number(at: offset, order) }

    /// 64 bits at an offset.
    @inline(__always)
    func number64(at offset: Int, _ order: ByteOrder = .big) -> UInt64? { number(at: offset, order) }

    /// The bytes of a range; nil if it exceeds the slice.
    @inline(__always)
    func part(at offset: Int, count length: Int) -> ArraySlice<UInt8>? {
        guard offset >= 0, length >= 0, offset <= count, length <= count - offset else { return nil }
        return self[startIndex + offset..<startIndex + offset + length]
    }

    /// Everything from an offset on; empty if the offset is outside.
    @inline(__always)
    func rest(from offset: Int) -> ArraySlice<UInt8> {
        offset >= 0 && offset <= count ? self[(startIndex + offset)...] : self[endIndex...]
    }

    @inline(__always)
    private func number<Number: FixedWidthInteger & UnsignedInteger>(at offset: Int, _ order: ByteOrder) -> Number? {
        let size = Number.bitWidth / 8
        guard offset >= 0, offset <= count - size else { return nil }
        let first = startIndex + offset
        var number: Number = 0
        for index in 0..<size {
            let byte = self[first + (order == .big ? index : size - 1 - index)]
            number = number << 8 | Number(byte)
        }
        return number
    }
}
