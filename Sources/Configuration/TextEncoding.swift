/// A text file's encoding, detected by its first bytes (YAML 1.2.2, section 5.2).
enum TextEncoding: Equatable {
    /// UTF-8 without a byte order mark, or an unknown encoding, which the parser then reports.
    case utf8
    /// UTF-8 with a byte order mark, as Windows editors write it.
    case markedUTF8
    /// The name of an encoding that is not accepted.
    case other(String)

    /// The byte order mark in UTF-8.
    static let utf8Mark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// All byte order marks, and the patterns of a first ASCII character (nil) without a mark. Longer ones come first: the
    /// mark of UTF-16LE is a prefix of that of UTF-32LE.
    private static let patterns: [(bytes: [UInt8?], encoding: TextEncoding)] = [
        ([0x00, 0x00, 0xFE, 0xFF], .other("UTF-32BE")),
        ([0xFF, 0xFE, 0x00, 0x00], .other("UTF-32LE")),
        ([0x00, 0x00, 0x00, nil], .other("UTF-32BE")),
        ([nil, 0x00, 0x00, 0x00], .other("UTF-32LE")),
        ([0xFE, 0xFF], .other("UTF-16BE")),
        ([0xFF, 0xFE], .other("UTF-16LE")),
        ([0x00, nil], .other("UTF-16BE")),
        ([nil, 0x00], .other("UTF-16LE")),
        (utf8Mark, .markedUTF8),
    ]

    /// The encoding of a file with these bytes.
    init(of bytes: [UInt8]) {
        let found = Self.patterns.first { pattern in
            bytes.count >= pattern.bytes.count
                && zip(pattern.bytes, bytes).allSatisfy { $0 == $1 || $0 == nil && (0x01..<0x80).contains($1) }
        }
        self = found?.encoding ?? .utf8
    }
}
