internal import Text

/// Why a request is invalid or not supported. The description is a phrase that follows "the request", and contains a
/// client's bytes only as printable ASCII.
public enum TunnelFault: Error, Hashable, Sendable {
    /// The first byte begins neither a SOCKS nor an HTTP request; up to 16 first bytes.
    case unknownProtocol(beginning: [UInt8])
    /// SOCKS version 4 or 4a.
    case socks4
    /// SOCKS 5: the client does not offer to go without authentication.
    case authentication
    /// SOCKS 5: a field has a value that RFC 1928 does not define.
    case malformedSocks
    /// SOCKS 5: a command other than CONNECT.
    case command(UInt8)
    /// SOCKS 5: an address type that RFC 1928 does not define.
    case addressType(UInt8)
    /// The host cannot be a destination; the reason is a clause.
    case host(reason: String)
    /// Port 0.
    case portZero
    /// HTTP: no empty line within `TunnelRequestReader.longestHead`.
    case headTooLong
    /// HTTP: an LF without CR, or a CR without LF.
    case bareLineEnd
    /// HTTP: the request line or a header field is malformed.
    case malformedHead
    /// HTTP: a method other than CONNECT.
    case method(String)
    /// HTTP: CONNECT with content, which RFC 9110 does not define.
    case content
}

extension TunnelFault: CustomStringConvertible {
    /// Such as `uses the HTTP method GET; only CONNECT is supported`.
    public var description: String {
        switch self {
        case .unknownProtocol(let beginning):
            "begins with \"\(Self.shown(beginning))\", and is neither SOCKS 5 nor HTTP CONNECT"
        case .socks4: "uses SOCKS 4; only SOCKS 5 and HTTP CONNECT are supported"
        case .authentication:
            "offers only SOCKS 5 with authentication; this relay supports only clients without authentication"
        case .malformedSocks: "is a malformed SOCKS 5 message"
        case .command(2): "uses the SOCKS 5 command BIND; only CONNECT is supported"
        case .command(3): "uses the SOCKS 5 command UDP ASSOCIATE; only CONNECT is supported"
        case .command(let number): "uses the unknown SOCKS 5 command \(number); only CONNECT is supported"
        case .addressType(let number): "uses the unknown SOCKS 5 address type \(number)"
        case .host(let reason): "names an invalid host: \(reason)"
        case .portZero: "names port 0, which is not a valid destination"
        case .headTooLong: "is an HTTP request of more than \(TunnelRequestReader.longestHead) bytes"
        case .bareLineEnd: "is an HTTP request with a CR without LF, or an LF without CR"
        case .malformedHead: "is a malformed HTTP request; write CONNECT HOST:PORT HTTP/1.1"
        case .method(let name): "uses the HTTP method \(name); only CONNECT is supported"
        case .content: "is an HTTP CONNECT with content"
        }
    }

    /// Bytes as printable ASCII.
    static func shown(_ bytes: [UInt8]) -> String {
        String(printableASCII: bytes, escapes: .backslashes)
    }
}
