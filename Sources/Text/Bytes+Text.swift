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

    /// Appends untrusted text as a JSON string (RFC 8259, section 7), in double quotes. Control characters and
    /// bidirectional formatting characters, which could act on a terminal or deceive a reader, are escaped.
    public mutating func append(quoted text: String) {
        append(UInt8(ascii: "\""))
        append(escaped: text, quoting: true)
        append(UInt8(ascii: "\""))
    }

    /// Appends untrusted text without quotes, for the end of a line: escapes the same characters but quotes and
    /// backslashes.
    public mutating func append(escaped text: String) {
        append(escaped: text, quoting: false)
    }

    private mutating func append(escaped text: String, quoting: Bool) {
        if text.utf8.allSatisfy({ Self.isPlain($0) && !(quoting && Self.isQuotedSpecially($0)) }) {
            append(contentsOf: text.utf8)
            return
        }
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"" where quoting: append("\\\"")
            case "\\" where quoting: append("\\\\")
            case "\n": append("\\n")
            case "\r": append("\\r")
            case "\t": append("\\t")
            case let scalar where scalar.actsOnReader:
                append("\\u")
                append(hexadecimal: scalar.value, width: 4)
            case let scalar: append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
            }
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool { byte >= 0x20 && byte < 0x7F }

    private static func isQuotedSpecially(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }
}

extension Unicode.Scalar {
    /// Whether it is a control character (C0, DEL, C1), a line separator or a bidirectional formatting character
    /// (Unicode, section 23.2): untrusted text must not control a terminal or deceive a reader.
    public var actsOnReader: Bool {
        switch value {
        case 0x00...0x1F, 0x7F...0x9F, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }
}
