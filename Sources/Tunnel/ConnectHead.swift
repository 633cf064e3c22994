/// The head of an HTTP CONNECT request (RFC 9110, section 9.3.6; RFC 9112). Pure.
///
/// Only the small part of HTTP that CONNECT needs, strictly: there is no content, and a client's bytes after the head belong
/// to the tunnel. A library's parser would bring its own event loop or buffers into the data plane.
enum ConnectHead {
    private static let method = Array("CONNECT".utf8)
    private static let space = UInt8(ascii: " ")

    /// Reads the request's head; nil while it is incomplete. `search` continues where it was with fewer of the same bytes.
    /// Another method is a fault once its name is complete.
    static func request(
        _ bytes: [UInt8], _ search: inout HeadSearch
    ) throws(TunnelFault) -> (target: TunnelTarget, length: Int)? {
        if let end = bytes.prefix(longestMethod + 1).firstIndex(where: { !isTokenByte($0) }) {
            guard bytes[end] == space else { throw .malformedHead }
            let name = bytes[..<end]
            guard Array(name) == method else { throw .method(String(decoding: name, as: UTF8.self)) }
        } else if bytes.count > longestMethod {
            throw .malformedHead
        }
        guard let (lines, length) = try search.head(in: bytes, limit: TunnelRequestReader.longestHead) else {
            return nil
        }
        guard let first = lines.first else { throw .malformedHead }
        let target = try target(ofLine: first)
        for line in lines.dropFirst() { try check(field: line) }
        return (target, length)
    }

    /// The longest method name that is read; registered ones have at most 17 characters.
    private static let longestMethod = 32

    /// `CONNECT HOST:PORT HTTP/1.x`.
    private static func target(ofLine line: ArraySlice<UInt8>) throws(TunnelFault) -> TunnelTarget {
        let parts = line.split(separator: space, omittingEmptySubsequences: false)
        guard parts.count == 3, ["HTTP/1.1", "HTTP/1.0"].contains(String(decoding: parts[2], as: UTF8.self)) else {
            throw .malformedHead
        }
        let authority = parts[1]
        guard let colon = authority.lastIndex(of: UInt8(ascii: ":")) else {
            throw .host(reason: "\"\(TunnelFault.shown(Array(authority)))\" has no port")
        }
        let digits = authority[(colon + 1)...]
        guard (1...5).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(String(decoding: digits, as: UTF8.self))
        else { throw .host(reason: "\"\(TunnelFault.shown(Array(authority)))\" has no valid port") }
        guard port != 0 else { throw .portZero }
        var host = authority[..<colon]
        if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]"), host.count > 2 {
            host = host.dropFirst().dropLast()
            guard host.contains(UInt8(ascii: ":")) else { throw .malformedHead }
        } else if host.contains(UInt8(ascii: ":")) {
            throw .host(reason: "an IPv6 address needs brackets, such as [::1]:443")
        }
        guard !host.isEmpty else { throw .host(reason: "its name is empty") }
        guard host.count <= 255 else { throw .host(reason: "its name has more than 255 characters") }
        return TunnelTarget(host: try HostText.checked(host), port: port)
    }

    /// Checks `NAME: VALUE` (RFC 9112, section 5). Fields have no meaning here, except for those that announce content.
    private static func check(field line: ArraySlice<UInt8>) throws(TunnelFault) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
            line[..<colon].allSatisfy(isTokenByte)
        else { throw .malformedHead }
        let value = line[(colon + 1)...]
        guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else { throw .malformedHead }
        switch String(decoding: line[..<colon], as: UTF8.self).lowercased() {
        case "transfer-encoding":
            throw .content
        case "content-length":
            let text = value.filter { $0 != space && $0 != 0x09 }
            guard text == [UInt8(ascii: "0")] else { throw .content }
        default:
            break
        }
    }

    /// RFC 9110, section 5.6.2.
    static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), 0x30...0x39: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
