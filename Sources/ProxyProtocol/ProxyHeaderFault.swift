internal import Text

/// Why bytes are not a PROXY protocol header. The description is a phrase that follows "what came first", and contains
/// a peer's bytes only as printable ASCII.
public enum ProxyHeaderFault: Error, Hashable, Sendable {
    /// It does not begin with a header; up to 16 first bytes.
    case noHeader(beginning: [UInt8])
    /// Version 1: no CRLF within 107 bytes.
    case lineTooLong
    /// Version 1: a CR without LF, or an LF without CR.
    case bareLineEnd
    /// Version 1: wrong or invalid fields.
    case line
    /// Version 2: another version in the 13th byte.
    case version(UInt8)
    /// Version 2: an unassigned command.
    case command(UInt8)
    /// Version 2: an unassigned family or transport.
    case family(UInt8)
    /// Version 2: longer than `ProxyHeader.longest`.
    case tooLong(Int)
    /// Version 2: too short for its addresses.
    case addresses
    /// Version 2: an extension exceeds the header or its maximum length.
    case extensions
    /// Version 2: wrong CRC32C.
    case checksum
}

extension ProxyHeaderFault: CustomStringConvertible {
    /// Such as `begins with "GET / HTTP/1.1", which is neither PROXY nor the version 2 signature`.
    public var description: String {
        switch self {
        case .noHeader(let beginning):
            "begins with \"\(Self.shown(beginning))\", which is neither PROXY nor the version 2 signature"
        case .lineTooLong: "begins with PROXY but has no end of line within \(ProxyHeader.longestLine) bytes"
        case .bareLineEnd: "begins with PROXY and has a CR without LF, or an LF without CR"
        case .line: "begins with PROXY but is not a valid version 1 line"
        case .version(let number): "has the version 2 signature but the version number \(number)"
        case .command(let number): "is a version 2 header with the unassigned command \(number)"
        case .family(let byte): "is a version 2 header with the unassigned family 0x\(Self.hexadecimal(byte))"
        case .tooLong(let count):
            "is a version 2 header of \(count) bytes; the limit is \(ProxyHeader.longest)"
        case .addresses: "is a version 2 header that is too short for its addresses"
        case .extensions: "is a version 2 header with an extension beyond its end or its maximum length"
        case .checksum: "is a version 2 header with a wrong CRC32C"
        }
    }

    private static func shown(_ bytes: [UInt8]) -> String {
        String(printableASCII: bytes, escapes: .backslashes)
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
