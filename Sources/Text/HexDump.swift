extension [UInt8] {
    /// Appends bytes as lines of sixteen, as `hexdump -C` shows them: offset, bytes, ASCII characters. `offset` is that
    /// of the first byte; an offset beyond 32 bits has more than eight digits.
    public mutating func append(hexDump bytes: [UInt8], from offset: UInt64) {
        guard !bytes.isEmpty else { return }
        let rows = (bytes.count - 1) / HexDump.rowBytes + 1
        let start = count
        // Spaces everywhere, so that only digits and characters are written afterwards.
        append(contentsOf: repeatElement(HexDump.space, count: rows * HexDump.longestLine))
        var end = start
        var lines = mutableSpan
        let source = bytes.span
        for row in 0..<rows {
            let first = row * HexDump.rowBytes
            let last = Swift.min(first + HexDump.rowBytes, bytes.count)
            end = HexDump.write(source, first..<last, offset &+ UInt64(first), to: &lines, at: end)
        }
        removeLast(count - end)
    }

    /// Appends the two hexadecimal digits of a byte.
    mutating func append(hexByte byte: UInt8) {
        append(HexDump.digit(byte >> 4))
        append(HexDump.digit(byte & 0xF))
    }
}

/// The lines of a hexadecimal dump.
private enum HexDump {
    static let rowBytes = 16
    static let space = UInt8(ascii: " ")
    /// An offset of 16 digits, bytes, characters and separators.
    static let longestLine = 87

    @inline(__always)
    static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "a") &- 10 &+ value
    }

    /// Writes one line at a position, over spaces; returns the position after it.
    @inline(__always)
    static func write(
        _ source: Span<UInt8>, _ range: Range<Int>, _ offset: UInt64, to lines: inout MutableSpan<UInt8>, at start: Int
    ) -> Int {
        let digits = Swift.max(8, (64 - offset.leadingZeroBitCount + 3) / 4)
        for place in 0..<digits {
            let shift = UInt64(4 * (digits - 1 - place))
            lines[start + place] = digit(UInt8(truncatingIfNeeded: (offset >> shift) & 0xF))
        }
        // Two spaces, three columns for each byte, and one between the halves.
        let bytes = start + digits + 2
        let characters = bytes + 3 * rowBytes + 3
        lines[characters - 1] = UInt8(ascii: "|")
        for index in range {
            let byte = source[index]
            let column = index - range.lowerBound
            let place = bytes + 3 * column + (column >= 8 ? 1 : 0)
            lines[place] = digit(byte >> 4)
            lines[place + 1] = digit(byte & 0xF)
            lines[characters + column] = byte >= 0x20 && byte < 0x7F ? byte : UInt8(ascii: ".")
        }
        let end = characters + range.count
        lines[end] = UInt8(ascii: "|")
        lines[end + 1] = UInt8(ascii: "\n")
        return end + 2
    }
}
