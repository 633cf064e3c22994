internal import Sockets
internal import Text

/// What a client of a proxy sends and reads to get a tunnel: SOCKS 5 (RFC 1928, RFC 1929) or HTTP CONNECT (RFC 9110, section
/// 9.3.6). It touches no socket.
///
/// `start` is sent first. `read` takes the proxy's bytes that were received and not consumed yet. It is called again with
/// more bytes after `incomplete`, and with the bytes after the message once the next message is sent.
public struct TunnelDialogue: Sendable {
    /// The proxy's protocol.
    public enum Kind: Hashable, Sendable {
        /// SOCKS 5; the proxy looks names up.
        case socks5
        /// HTTP CONNECT.
        case http
    }

    /// A user name and a password of 1 to 255 bytes each. They are sent to the proxy and appear nowhere else.
    public struct Credentials: Hashable, Sendable {
        let user: String
        let password: String

        /// A user and a password.
        public init(user: String, password: String) {
            self.user = user
            self.password = password
        }
    }

    /// The result of reading.
    public enum Step: Hashable, Sendable {
        /// A valid beginning of a message; every byte belongs to it.
        case incomplete
        /// A whole message of `length` bytes; this message is sent next.
        case send([UInt8], length: Int)
        /// The tunnel is open after these `length` bytes.
        case complete(length: Int)
        /// There is no tunnel.
        case failed(TunnelProxyFault)
    }

    private enum Phase {
        case method, authentication, reply
    }

    private let kind: Kind
    private let target: TunnelTarget
    private let credentials: Credentials?
    private var phase: Phase
    /// The end of the head of an HTTP response.
    private var search = HeadSearch()

    /// A dialogue for one tunnel.
    public init(_ kind: Kind, to target: TunnelTarget, credentials: Credentials?) {
        self.kind = kind
        self.target = target
        self.credentials = credentials
        phase = kind == .http ? .reply : .method
    }

    /// The first message.
    public var start: [UInt8] {
        switch kind {
        case .http: ConnectHead.request(to: target, credentials)
        case .socks5:
            credentials == nil
                ? [Socks5.version, 1, Socks5.noAuthentication]
                : [Socks5.version, 2, Socks5.noAuthentication, Socks5.password]
        }
    }

    /// Reads the proxy's next message. A fault is reported as soon as no further byte can make the message valid.
    public mutating func read(_ bytes: [UInt8]) -> Step {
        do throws(TunnelProxyFault) {
            switch (kind, phase) {
            case (.http, _):
                return try ConnectHead.response(bytes, &search).map { .complete(length: $0) } ?? .incomplete
            case (.socks5, .method):
                guard let method = try Socks5.method(bytes) else { return .incomplete }
                if method == Socks5.noAuthentication {
                    phase = .reply
                    return .send(try Socks5.request(to: target), length: 2)
                }
                guard method == Socks5.password, let credentials else { throw .noMethod }
                phase = .authentication
                return .send(Socks5.authentication(credentials.user, credentials.password), length: 2)
            case (.socks5, .authentication):
                guard bytes.count >= 2 else { return .incomplete }
                guard bytes[1] == 0 else { throw .credentialsRefused }
                phase = .reply
                return .send(try Socks5.request(to: target), length: 2)
            case (.socks5, .reply):
                return try Socks5.reply(bytes).map { .complete(length: $0) } ?? .incomplete
            }
        } catch {
            return .failed(error)
        }
    }
}

/// Why a proxy did not open a tunnel. The description is a clause whose subject is the proxy, and contains a proxy's bytes
/// only as printable ASCII.
public enum TunnelProxyFault: Error, Hashable, Sendable {
    /// SOCKS 5: the proxy accepts no authentication method that was offered.
    case noMethod
    /// SOCKS 5: the proxy refused the user name and the password.
    case credentialsRefused
    /// SOCKS 5: the `REP` field of its reply.
    case replied(UInt8)
    /// HTTP: its status line.
    case status(String)
    /// Its bytes are not of the protocol; up to 16 first bytes.
    case malformed(beginning: [UInt8])
    /// HTTP: no empty line within `TunnelRequestReader.longestHead`.
    case headTooLong
    /// It closed the connection before its reply was complete.
    case closed
    /// It reset the connection before its reply was complete.
    case reset
    /// Its machine stopped answering before its reply was complete.
    case silent
    /// The target has no form in the proxy's protocol.
    case target
}

extension TunnelProxyFault: CustomStringConvertible {
    /// Such as `replied 05, connection refused`.
    public var description: String {
        switch self {
        case .noMethod: "requires an authentication method for which Tapline has no credentials"
        case .credentialsRefused: "refused the user name and the password"
        case .replied(let code): "replied 0\(String(code, radix: 16)), \(Self.meaning(code))"
        case .status(let line): "replied \"\(line)\""
        case .malformed(let beginning):
            "sent bytes that are not a reply of its protocol, beginning with \"\(TunnelFault.shown(beginning))\""
        case .headTooLong: "sent a reply of more than \(TunnelRequestReader.longestHead) bytes"
        case .closed: "closed the connection before it replied"
        case .reset: "reset the connection before it replied"
        case .silent: "stopped answering before it replied"
        case .target: "cannot be asked for this destination"
        }
    }

    /// RFC 1928, section 6.
    private static func meaning(_ code: UInt8) -> String {
        switch code {
        case 1: "general failure"
        case 2: "connection not allowed"
        case 3: "network unreachable"
        case 4: "host unreachable"
        case 5: "connection refused"
        case 6: "TTL expired"
        case 7: "command not supported"
        case 8: "address type not supported"
        default: "an unassigned code"
        }
    }
}

// MARK: Messages

extension Socks5 {
    /// The method with user name and password (RFC 1929).
    static let password: UInt8 = 2

    /// Reads the proxy's choice of a method; nil while it is incomplete.
    static func method(_ bytes: [UInt8]) throws(TunnelProxyFault) -> UInt8? {
        guard let first = bytes.first else { return nil }
        guard first == version else { throw .malformed(beginning: Array(bytes.prefix(16))) }
        return bytes.count > 1 ? bytes[1] : nil
    }

    /// RFC 1929, section 2.
    static func authentication(_ user: String, _ password: String) -> [UInt8] {
        let (user, password) = (user.utf8.prefix(255), password.utf8.prefix(255))
        return [1, UInt8(user.count)] + user + [UInt8(password.count)] + password
    }

    /// The request for a connection.
    static func request(to target: TunnelTarget) throws(TunnelProxyFault) -> [UInt8] {
        let address: [UInt8]
        if let ip = IPv4Address(target.host) {
            address = [1] + bigEndian(UInt64(ip.bits), 4)
        } else if let ip = IPv6Address(target.host) {
            address = [4] + bigEndian(ip.high, 8) + bigEndian(ip.low, 8)
        } else {
            guard let count = UInt8(exactly: target.host.utf8.count) else { throw .target }
            address = [3, count] + target.host.utf8
        }
        return [version, connect, 0] + address + bigEndian(UInt64(target.port), 2)
    }

    private static func bigEndian(_ number: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: number >> (8 * UInt64(count - 1 - $0))) }
    }

    /// Reads the proxy's reply; nil while it is incomplete. Returns its length.
    static func reply(_ bytes: [UInt8]) throws(TunnelProxyFault) -> Int? {
        guard let first = bytes.first else { return nil }
        guard first == version else { throw .malformed(beginning: Array(bytes.prefix(16))) }
        guard bytes.count > 1 else { return nil }
        guard bytes[1] == 0 else { throw .replied(bytes[1]) }
        guard bytes.count > 4 else { return nil }
        // The bound address is not used, so a name in it is not checked.
        let length: Int
        switch bytes[3] {
        case 1: length = 4 + 4 + 2
        case 4: length = 4 + 16 + 2
        case 3: length = 5 + Int(bytes[4]) + 2
        default: throw .malformed(beginning: Array(bytes.prefix(16)))
        }
        return bytes.count >= length ? length : nil
    }
}

extension ConnectHead {
    /// The request for a tunnel.
    static func request(to target: TunnelTarget, _ credentials: TunnelDialogue.Credentials?) -> [UInt8] {
        let host = target.host.contains(":") ? "[\(target.host)]" : target.host
        var head: [UInt8] = []
        head.append("CONNECT \(host):\(target.port) HTTP/1.1\r\nHost: \(host):\(target.port)\r\n")
        if let credentials {
            // RFC 7617.
            head.append("Proxy-Authorization: Basic ")
            head.append(base64: Array("\(credentials.user):\(credentials.password)".utf8)[...])
            head.append("\r\n")
        }
        head.append("\r\n")
        return head
    }

    /// Reads the head of the proxy's response; nil while it is incomplete. Returns its length: a successful response to
    /// CONNECT has no content (RFC 9110, section 9.3.6).
    static func response(_ bytes: [UInt8], _ search: inout HeadSearch) throws(TunnelProxyFault) -> Int? {
        guard zip(bytes, "HTTP/1.".utf8).allSatisfy(==) else { throw .malformed(beginning: Array(bytes.prefix(16))) }
        let head: (lines: [ArraySlice<UInt8>], length: Int)?
        do throws(TunnelFault) {
            head = try search.head(in: bytes, limit: TunnelRequestReader.longestHead)
        } catch {
            if error == .headTooLong { throw .headTooLong }
            throw .malformed(beginning: Array(bytes.prefix(16)))
        }
        guard let head else { return nil }
        guard let line = head.lines.first, line.count >= 12, line[8] == UInt8(ascii: " "),
            line.count == 12 || line[12] == UInt8(ascii: " "),
            line[9...11].allSatisfy({ (0x30...0x39).contains($0) })
        else { throw .malformed(beginning: Array(bytes.prefix(16))) }
        guard line[9] == UInt8(ascii: "2") else {
            throw .status(TunnelFault.shown(Array(line.prefix(100))))
        }
        return head.length
    }
}
