/// The form of a reply to a client.
public enum TunnelReplyForm: Hashable, Sendable {
    /// SOCKS 4: only a rejection is sent.
    case socks4
    /// SOCKS 5: the choice of an authentication method is due, so a failure is the refusal of all of them.
    case socks5Method
    /// SOCKS 5: the reply to the request is due.
    case socks5
    /// HTTP/1.1.
    case http
}

/// Why a tunnel was not opened, in the terms of both protocols.
public struct TunnelFailure: Hashable, Sendable {
    /// The `REP` field of SOCKS 5 (RFC 1928, section 6).
    public enum Code: UInt8, CaseIterable, Hashable, Sendable {
        /// A failure that has no code of its own.
        case general = 1
        /// Not allowed by the ruleset.
        case notAllowed = 2
        /// The network, or the host, cannot be reached.
        case networkUnreachable = 3
        case hostUnreachable = 4
        /// The destination refused the connection.
        case refused = 5
        /// "TTL expired", which proxies send for a timeout.
        case timedOut = 6
        /// Another command than CONNECT, or another type of address.
        case commandNotSupported = 7
        case addressTypeNotSupported = 8
    }

    /// The SOCKS 5 code.
    public let code: Code
    /// The HTTP status.
    public let status: Int
    /// The reason: one sentence without a full stop, in printable ASCII, of at most a few hundred characters.
    public let text: String

    /// A failure.
    public init(_ code: Code, status: Int, text: String) {
        self.code = code
        self.status = status
        self.text = text
    }
}

extension TunnelReplyForm {
    /// The reply that the tunnel is open; the tunnel's bytes follow. Not for `socks4` and `socks5Method`, where no request
    /// is complete.
    public var success: [UInt8] {
        switch self {
        case .socks4, .socks5Method: []
        case .socks5: Socks5.reply(0)
        case .http: Array("HTTP/1.1 200 Connection established\r\n\r\n".utf8)
        }
    }

    /// The reply that there is no tunnel, after which the connection ends.
    public func failure(_ failure: TunnelFailure) -> [UInt8] {
        switch self {
        case .socks4: [0, 0x5B, 0, 0, 0, 0, 0, 0]
        case .socks5Method: [Socks5.version, Socks5.noMethod]
        case .socks5: Socks5.reply(failure.code.rawValue)
        case .http: Self.response(failure)
        }
    }

    private static func response(_ failure: TunnelFailure) -> [UInt8] {
        let body = failure.text + "\n"
        var head = "HTTP/1.1 \(failure.status) \(phrase(failure.status))\r\n"
        // RFC 9110, section 15.5.6: a 405 lists the methods that are supported.
        if failure.status == 405 { head += "Allow: CONNECT\r\n" }
        head +=
            "Content-Type: text/plain; charset=utf-8\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
        return Array((head + body).utf8)
    }

    private static func phrase(_ status: Int) -> String {
        switch status {
        case 400: "Bad Request"
        case 403: "Forbidden"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        default: "Error"
        }
    }
}

extension TunnelFailure {
    /// The failure for an invalid request.
    public init(_ fault: TunnelFault) {
        let (code, status): (Code, Int) =
            switch fault {
            case .command: (.commandNotSupported, 400)
            case .addressType: (.addressTypeNotSupported, 400)
            case .method: (.general, 405)
            case .headTooLong: (.general, 431)
            case .unknownProtocol, .socks4, .authentication, .malformedSocks, .host, .portZero, .bareLineEnd,
                .malformedHead, .content:
                (.general, 400)
            }
        self.init(code, status: status, text: "The request \(fault)")
    }
}
