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
    /// Such as `begins with "GET / HTTP/1.1", and so neither with PROXY nor with the signature of version 2`.
    public var description: String {
        switch self {
        case .noHeader(let beginning):
            "begins with \"\(Self.shown(beginning))\", and so neither with PROXY nor with the signature of version 2"
        case .lineTooLong: "begins with PROXY and has no end of line within \(ProxyHeader.longestLine) bytes"
        case .bareLineEnd: "begins with PROXY and has a CR without LF, or an LF without CR"
        case .line: "begins with PROXY, but is not a line of version 1"
        case .version(let number): "has the signature of version 2 and the version \(number)"
        case .command(let number): "is of version 2 with the unassigned command \(number)"
        case .family(let byte): "is of version 2 with the unassigned family 0x\(Self.hexadecimal(byte))"
        case .tooLong(let count):
            "is of version 2 and \(count) bytes long; \(ProxyHeader.longest) are read at most"
        case .addresses: "is of version 2 and too short for its addresses"
        case .extensions: "is of version 2 with an extension that goes past its end or its bound"
        case .checksum: "is of version 2 with a CRC32C that is wrong"
        }
    }

    private static func shown(_ bytes: [UInt8]) -> String {
        String(printableASCII: bytes, escapes: .backslashes)
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
