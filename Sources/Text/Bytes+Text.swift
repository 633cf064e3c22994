/// Text output as bytes. Every connection writes a line, so lines are built without a string for each part.
extension [UInt8] {
    /// Appends text unchanged.
    public mutating func append(_ text: String) {
        append(contentsOf: text.utf8)
    }

    /// Appends a number, zero-padded to at least `width` digits.
    public mutating func append(decimal number: some BinaryInteger, width: Int = 1) {
        var rest = number.magnitude
        var digits = 0
        let start = count
        repeat {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
            digits += 1
        } while rest > 0 || digits < width
        if number < 0 { append(UInt8(ascii: "-")) }
        self[start...].reverse()
    }

    /// Appends a hexadecimal number, zero-padded to at least `width` digits.
    public mutating func append(hexadecimal number: some FixedWidthInteger & UnsignedInteger, width: Int) {
        var shift = Swift.max(width, (number.bitWidth - number.leadingZeroBitCount + 3) / 4) * 4
        while shift > 0 {
            shift -= 4
            append(Self.hexadecimalDigits[Int(truncatingIfNeeded: (number >> shift) & 0xF)])
        }
    }

    private static let hexadecimalDigits = Array("0123456789abcdef".utf8)

    /// Appends a number with this many decimals, saturated to the largest that fits.
    public mutating func append(decimal number: Double, digits: Int) {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (number.magnitude * scale).rounded()
        let whole = UInt64(saturating: scaled)
        if number < 0 && whole > 0 { append(UInt8(ascii: "-")) }
        append(decimal: whole / UInt64(scale))
        append(UInt8(ascii: "."))
        append(decimal: whole % UInt64(scale), width: digits)
    }
}
