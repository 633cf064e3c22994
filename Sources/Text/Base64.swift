extension [UInt8] {
    /// Appends bytes as Base64 with padding (RFC 4648, section 4).
    public mutating func append(base64 bytes: ArraySlice<UInt8>) {
        reserveCapacity(count + (bytes.count + 2) / 3 * 4)
        var rest = bytes
        while rest.count >= 3 {
            let first = rest.startIndex
            appendQuartet(rest[first], rest[first + 1], rest[first + 2], digits: 4)
            rest = rest[(first + 3)...]
        }
        if let first = rest.first {
            appendQuartet(first, rest.dropFirst().first ?? 0, 0, digits: rest.count + 1)
        }
    }

    private mutating func appendQuartet(_ first: UInt8, _ second: UInt8, _ third: UInt8, digits: Int) {
        let bits = Int(first) << 16 | Int(second) << 8 | Int(third)
        for digit in 0..<4 {
            append(digit < digits ? Self.base64Digits[bits >> (18 - 6 * digit) & 0x3F] : UInt8(ascii: "="))
        }
    }

    private static let base64Digits = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
}
