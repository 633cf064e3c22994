internal import Sockets

/// An address with a port, split into its parts but not yet checked: `8080`, `*:8080`, `host:80`, `[::1]:80`.
struct AddressText {
    enum Host: Equatable {
        /// A bare port.
        case absent
        /// `*`.
        case star
        /// The text between brackets.
        case bracketed(String)
        /// Anything else; not empty, and without colons.
        case plain(String)
    }

    let host: Host
    let port: UInt16

    /// The range of ports, for messages.
    static let ports = "a port is a number from 0 to 65535"

    init(_ text: String) throws(ValueError) {
        if let scheme = Self.scheme(of: text) {
            throw ValueError(
                "\(quoted(text)): Tapline forwards TCP, not URLs; write HOST:PORT without `\(scheme)`")
        }
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else {
                throw ValueError("\(quoted(text)) has no closing `]`; write [IPv6]:PORT, such as [::1]:8080")
            }
            let inside = text[..<end].dropFirst()
            let after = text[end...].dropFirst()
            guard after.first == ":" else {
                throw ValueError("\(quoted(text)) has no port; write [IPv6]:PORT, such as [\(clipped(inside))]:8080")
            }
            host = .bracketed(String(inside))
            port = try Self.port(after.dropFirst(), in: text)
            return
        }
        guard !text.isEmpty else { throw ValueError("the address is empty; write HOST:PORT") }
        guard let colon = text.lastIndex(of: ":") else {
            guard DecimalText(text) == .notDigits else {
                host = .absent
                port = try Self.port(text[...], in: text)
                return
            }
            guard text.first != "-", text.first != "+" else {
                throw ValueError("\(quoted(text)) is not a port; \(Self.ports)")
            }
            throw ValueError("\(quoted(text)) has no port; write \(clipped(text)):PORT")
        }
        let before = text[..<colon]
        guard !before.contains(":") else {
            let advice =
                if IPv6Address(String(before)) != nil {
                    "[\(before)]\(clipped(text[colon...]))"
                } else {
                    IPv6Address(text) != nil ? "[\(text)]:PORT" : "[::1]:8080"
                }
            throw ValueError("\(quoted(text)): more than one `:`; put an IPv6 address in brackets, such as \(advice)")
        }
        guard !before.isEmpty else {
            let number = text.dropFirst()
            throw ValueError(
                "\(quoted(text)) has no host; write \(clipped(number)) for loopback, *:\(clipped(number)) for every interface"
            )
        }
        host = before == "*" ? .star : .plain(String(before))
        port = try Self.port(text[colon...].dropFirst(), in: text)
    }

    /// The IPv6 address between brackets, with its zone.
    static func ipv6(_ inside: String, port: UInt16) throws(ValueError) -> SocketAddress {
        if let address = SocketAddress(numericHost: inside, port: port), IPv4Address(inside) == nil {
            // One address has one notation: the kernel reports a mapped address as IPv4, too.
            guard case .ipv6(let ip, _, let scope) = address else { return address }
            if let mapped = ip.mappedIPv4 { return .ipv4(mapped, port: port) }
            // The system ignores the zone of other addresses (ipv6(7)).
            guard ip.isLinkLocal else { return .ipv6(ip, port: port) }
            guard scope != 0 else {
                throw ValueError(
                    "\(quoted(inside)) is a link-local address and needs the interface, such as [\(clipped(inside))%eth0]:"
                        + "\(port); `ip -br link` lists the interfaces")
            }
            return address
        }
        if let percent = inside.firstIndex(of: "%"), IPv6Address(String(inside[..<percent])) != nil {
            throw ValueError(
                "\(quoted(inside)): this system has no interface \(quoted(inside[percent...].dropFirst()))")
        }
        throw ValueError("\(quoted(inside)) is not an IPv6 address; brackets are only for IPv6 addresses")
    }

    private static func port(_ digits: Substring, in text: String) throws(ValueError) -> UInt16 {
        guard !digits.isEmpty else { throw ValueError("\(quoted(text)) has no port; \(ports)") }
        guard case .number(let number) = DecimalText(digits), let port = UInt16(exactly: number) else {
            throw ValueError("\(quoted(digits)) is not a port; \(ports)")
        }
        return port
    }

    private static func scheme(of text: String) -> Substring? {
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else { return nil }
        return clipped(text[..<colon])[...] + "://"
    }
}
