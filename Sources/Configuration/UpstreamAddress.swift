public import Sockets

/// What a relay forwards to, as configured.
public enum UpstreamAddress: Hashable, Sendable {
    /// `example.com:80`: resolved at each connection.
    case name(String, port: UInt16)
    /// `192.0.2.1:80`, `[2001:db8::1]:80`, `unix:/path`.
    case address(SocketAddress)
    /// `[fe80::1%eth0]:80`: a link-local address, whose interface is looked up at each connection.
    case linkLocal(IPv6Address, zone: String, port: UInt16)
    /// `original-destination`: the destination of each client before it was redirected to the listener.
    case originalDestination

    private static let originalDestinationText = "original-destination"

    /// Parses `HOST:PORT`, `IP:PORT`, `[IPv6]:PORT`, `unix:PATH` or `original-destination`; a relative path is resolved in
    /// the directory.
    public init(parsing text: String, directory: String) throws(ValueError) {
        if text.hasPrefix("unix:") {
            self = .address(.unix(path: try PathText.socket(text.dropFirst(5), in: directory)))
            return
        }
        if text == Self.originalDestinationText {
            self = .originalDestination
            return
        }
        // Short names without a port are excluded: they could match as a prefix.
        if !text.contains(":"), text.utf8.count > 12, NearestKey.find(text, in: [Self.originalDestinationText]) != nil {
            throw ValueError("\(quoted(text)) has no port; did you mean `\(Self.originalDestinationText)`?")
        }
        let parts = try AddressText(text)
        if case .plain(Self.originalDestinationText) = parts.host {
            throw ValueError("`\(Self.originalDestinationText)` takes no port: each client brings its own")
        }
        switch parts.host {
        case .absent:
            throw ValueError("\(quoted(text)) has no host; write HOST:\(parts.port), such as localhost:\(parts.port)")
        case .star:
            throw ValueError("\(quoted(text)): `*` stands for every interface; an upstream is one host")
        case .bracketed(let inside):
            let address = try AddressText.ipv6(inside, port: parts.port)
            if case .ipv6(let ip, let port, 1...) = address, let percent = inside.firstIndex(of: "%") {
                self = .linkLocal(ip, zone: String(inside[percent...].dropFirst()), port: port)
            } else {
                self = .address(address)
            }
        case .plain(let host):
            if let address = IPv4Address(host) {
                self = .address(.ipv4(address, port: parts.port))
            } else {
                self = .name(try HostName.checked(host), port: parts.port)
            }
        }
        guard parts.port != 0 else {
            throw ValueError("\(quoted(text)): port 0 cannot be connected to; an upstream's port is from 1 to 65535")
        }
        if case .address(let address) = self, address.isWildcard {
            throw ValueError("\(quoted(text)) stands for every interface; an upstream is one host")
        }
    }

    /// Whether it is a name of this machine's loopback addresses.
    public var isLocalhost: Bool {
        if case .name(let name, _) = self { HostName.isLocalhost(name) } else { false }
    }
}

extension UpstreamAddress: CustomStringConvertible {
    /// `example.com:80`, `192.0.2.1:80`, `[2001:db8::1]:80`, `[fe80::1%eth0]:80`, `unix:/path`, `original-destination`: a
    /// text that parses as the same address.
    public var description: String {
        switch self {
        case .name(let name, let port): "\(name):\(port)"
        case .address(let address): address.description
        case .linkLocal(let address, let zone, let port): "[\(address)%\(zone)]:\(port)"
        case .originalDestination: Self.originalDestinationText
        }
    }
}
