/// Why the rest of a capture cannot be read. Everything before the fault was read.
public enum CaptureError: Error, Hashable, Sendable {
    /// The input is empty.
    case empty
    /// The input is not a capture; the kind of file that it looks like, if known.
    case notACapture(looksLike: String?)
    /// An unknown version of a known format.
    case unknownVersion(offset: UInt64, version: String)
    /// The length of a block or packet is invalid.
    case impossibleLength(offset: UInt64, length: UInt64)
    /// The length of a block or packet exceeds `CaptureReader.longestBlock`.
    case tooLong(offset: UInt64, length: UInt64)
    /// The lengths at a block's start and end differ.
    case lengthsDiffer(offset: UInt64, first: UInt64, last: UInt64)
    /// A section header has no byte-order magic.
    case noByteOrder(offset: UInt64)

    /// The offset of the fault in the input; nil if it concerns the whole input.
    public var offset: UInt64? {
        switch self {
        case .empty, .notACapture: nil
        case .unknownVersion(let offset, _), .impossibleLength(let offset, _), .tooLong(let offset, _),
            .lengthsDiffer(let offset, _, _), .noByteOrder(let offset):
            offset
        }
    }
}

extension CaptureError: CustomStringConvertible {
    /// The fault, as a phrase that follows the file's name.
    public var description: String {
        switch self {
        case .empty: "is empty"
        case .notACapture(let kind?): "is not a capture (pcapng or pcap): it looks like \(kind)"
        case .notACapture(nil): "is not a capture (pcapng or pcap)"
        case .unknownVersion(let offset, let version):
            "has version \(version) at byte \(offset), which is not supported"
        case .impossibleLength(let offset, let length):
            "is damaged at byte \(offset): a block cannot have a length of \(length)"
        case .tooLong(let offset, let length):
            "is damaged at byte \(offset): a block of \(length) bytes exceeds the limit of "
                + "\(CaptureReader.longestBlock)"
        case .lengthsDiffer(let offset, let first, let last):
            "is damaged at byte \(offset): a block has the length \(first) at its start and \(last) at its end"
        case .noByteOrder(let offset):
            "is damaged at byte \(offset): a section without a byte-order mark"
        }
    }
}

/// The kind of a file that is not a capture, by its first bytes.
enum FileKind {
    private static let kinds: [(magic: [UInt8], kind: String)] = [
        ([0x1F, 0x8B], "gzip, so unpack it first: gzip -dc FILE | tapline show -"),
        ([0x28, 0xB5, 0x2F, 0xFD], "zstd, so unpack it first: zstd -dc FILE | tapline show -"),
        ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "xz, so unpack it first: xz -dc FILE | tapline show -"),
        (Array("BZh".utf8), "bzip2, so unpack it first: bzip2 -dc FILE | tapline show -"),
        ([0x04, 0x22, 0x4D, 0x18], "lz4, so unpack it first: lz4 -dc FILE | tapline show -"),
        (Array("PK\u{3}\u{4}".utf8), "a zip archive"),
        ([0x7F, 0x45, 0x4C, 0x46], "a program"),
        (Array("snoop\0".utf8), "a capture of Solaris snoop, which editcap -F pcapng converts"),
        ([0xA1, 0xB2, 0xCD, 0x34], "a capture in modified pcap, which editcap -F pcapng converts"),
        ([0x34, 0xCD, 0xB2, 0xA1], "a capture in modified pcap, which editcap -F pcapng converts"),
        ([0x89, 0x50, 0x4E, 0x47], "a PNG image"),
    ]

    /// The kind of file that the bytes look like; nil if unknown.
    static func of(_ bytes: ArraySlice<UInt8>) -> String? {
        if let known = kinds.first(where: { bytes.starts(with: $0.magic) }) { return known.kind }
        let isText = bytes.prefix(64).allSatisfy { $0 >= 0x20 && $0 < 0x7F || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
        return isText ? "text" : nil
    }
}
