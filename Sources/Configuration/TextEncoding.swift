/// How a text file is encoded, by its first bytes (YAML 1.2.2, section 5.2).
enum TextEncoding: Equatable {
    /// UTF-8 without a byte order mark; also text whose encoding cannot be told, which the parser then judges.
    case utf8
    /// UTF-8 with a byte order mark, which Windows editors write.
    case markedUTF8
    /// An encoding that a configuration cannot have, by its name.
    case other(String)

    /// The byte order mark in UTF-8.
    static let utf8Mark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// Every mark, and every pattern of a first ASCII character without a mark; nil stands for that character. The longer
    /// ones first: the mark of UTF-16LE is the beginning of that of UTF-32LE.
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
