internal import Sockets

/// `upstream_proxy`: the proxy through which a relay connects.
public struct UpstreamProxySettings: Hashable, Sendable {
    /// The proxy's protocol: `socks5://`, `http://`.
    public enum Scheme: String, CaseIterable, Hashable, Sendable {
        /// SOCKS 5 and HTTP CONNECT.
        case socks5, http
    }

    /// A user name and a password. They appear in no log, record or answer.
    public struct Credentials: Hashable, Sendable, CustomStringConvertible {
        /// 1 to 255 bytes.
        public let user: String
        /// 1 to 255 bytes.
        public let password: String

        /// Without the values.
        public var description: String { "credentials" }
    }

    /// The proxy's protocol.
    public let scheme: Scheme
    /// The proxy's address: a name or an IP address.
    public let address: UpstreamAddress
    /// The credentials; nil without.
    public let credentials: Credentials?

    /// Parses `socks5://HOST:PORT` or `http://HOST:PORT`, with an optional `USER:PASSWORD@` in percent-encoding. Messages do
    /// not contain the credentials.
    public init(parsing text: String) throws(ValueError) {
        guard let scheme = Scheme.allCases.first(where: { text.hasPrefix("\($0.rawValue)://") }) else {
            if text.contains(where: \.isWhitespace) { throw Self.spaces }
            throw ValueError(
                "must be socks5://HOST:PORT or http://HOST:PORT, with an optional USER:PASSWORD@ before HOST")
        }
        var rest = text.dropFirst(scheme.rawValue.utf8.count + 3)
        if scheme == .http, rest.last == "/" { rest.removeLast() }
        var credentials: Credentials?
        if let at = rest.lastIndex(of: "@") {
            credentials = try Self.credentials(rest[..<at])
            rest = rest[at...].dropFirst()
        }
        guard !rest.contains(where: \.isWhitespace) else { throw Self.spaces }
        guard !rest.contains("/"), !rest.hasPrefix("unix:") else {
            throw ValueError("\(quoted(rest)): a proxy has HOST:PORT and no path")
        }
        let address = try UpstreamAddress(parsing: String(rest), directory: "/")
        guard address != .originalDestination, address != .requested else {
            throw ValueError("\(quoted(rest)) has no port; write HOST:PORT")
        }
        self.scheme = scheme
        self.address = address
        self.credentials = credentials
    }

    /// The message does not repeat the text, which may have the credentials where they do not belong.
    private static let spaces = ValueError(
        "a proxy's URL has no spaces; write socks5://HOST:PORT or http://HOST:PORT")

    private static func credentials(_ text: Substring) throws(ValueError) -> Credentials {
        guard let colon = text.firstIndex(of: ":"), let user = decoded(text[..<colon]),
            let password = decoded(text[colon...].dropFirst()), (1...255).contains(user.utf8.count),
            (1...255).contains(password.utf8.count), !user.contains(":")
        else {
            throw ValueError(
                "USER and PASSWORD must have 1 to 255 bytes each, percent-encoded (%40 for @, %3A for :, %25 for %)"
            )
        }
        return Credentials(user: user, password: password)
    }

    /// Percent-decoded (RFC 3986, section 2.1), if the result is UTF-8 without control characters.
    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, digits.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Why a destination cannot be connected through a proxy; nil if it can.
    public static func obstacle(_ upstream: UpstreamAddress) -> String? {
        switch upstream {
        case .name, .requested, .address(.ipv4), .address(.ipv6): nil
        case .address(.unix): "a proxy cannot connect to a Unix socket of this machine"
        case .linkLocal: "a link-local address has no meaning for the proxy"
        case .originalDestination: "`\(upstream)` cannot be combined with `upstream_proxy`"
        }
    }
}

extension UpstreamProxySettings: CustomStringConvertible {
    /// `socks5://proxy.example.com:1080`, without the credentials, and without a word about them.
    public var url: String { "\(scheme.rawValue)://\(address)" }

    /// `socks5://proxy.example.com:1080`, without the credentials.
    public var description: String {
        "\(url)\(credentials == nil ? "" : " (with credentials)")"
    }
}
