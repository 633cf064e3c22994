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
    /// `requested`: the destination that each client requests, by SOCKS 5 or HTTP CONNECT.
    case requested

    /// The destination of a relay's clients, for a person: the address, or what it depends on.
    public var destinationText: String {
        switch self {
        case .originalDestination: "the original destination of each client"
        case .requested: "what each client requests (SOCKS 5, HTTP CONNECT)"
        case .name, .address, .linkLocal: description
        }
    }

    private static let originalDestinationText = "original-destination"
    private static let requestedText = "requested"

    /// Parses `HOST:PORT`, `IP:PORT`, `[IPv6]:PORT`, `unix:PATH`, `original-destination` or `requested`; a relative path
    /// is resolved in the directory.
    public init(parsing text: String, directory: String) throws(ValueError) {
        if text.hasPrefix("unix:") {
            self = .address(.unix(path: try PathText.socket(text.dropFirst(5), in: directory)))
            return
        }
        if text == Self.originalDestinationText {
            self = .originalDestination
            return
        }
        if text == Self.requestedText {
            self = .requested
            return
        }
        // Short names without a port are excluded: they could match as a prefix.
        if !text.contains(":"), text.utf8.count > 12, NearestKey.find(text, in: [Self.originalDestinationText]) != nil {
            throw ValueError("\(quoted(text)) has no port; did you mean `\(Self.originalDestinationText)`?")
        }
        let parts = try AddressText(text)
        if case .plain(Self.originalDestinationText) = parts.host {
            throw ValueError("`\(Self.originalDestinationText)` takes no port: each client has its own destination")
        }
        if case .plain(Self.requestedText) = parts.host {
            throw ValueError("`\(Self.requestedText)` takes no port: each client requests its own destination")
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
            throw ValueError("\(quoted(text)): cannot connect to port 0; an upstream's port is from 1 to 65535")
        }
        if case .address(let address) = self, address.isWildcard {
            throw ValueError("\(quoted(text)) stands for every interface; an upstream is one host")
        }
    }

    /// The destination that a client requests: a host name, or an IP address without brackets, and a port from 1.
    public init(requested host: String, port: UInt16) throws(ValueError) {
        if let address = IPv4Address(host) {
            self = .address(.ipv4(address, port: port))
        } else if let address = IPv6Address(host) {
            self = .address(address.mappedIPv4.map { .ipv4($0, port: port) } ?? .ipv6(address, port: port))
        } else {
            self = .name(try HostName.checked(host), port: port)
        }
        if case .address(let address) = self, address.isWildcard {
            throw ValueError("\(quoted(host)) stands for every interface; a destination is one host")
        }
    }

    /// Whether it is a name of this machine's loopback addresses.
    public var isLocalhost: Bool {
        if case .name(let name, _) = self { HostName.isLocalhost(name) } else { false }
    }
}

extension UpstreamAddress: CustomStringConvertible {
    /// `example.com:80`, `192.0.2.1:80`, `[2001:db8::1]:80`, `[fe80::1%eth0]:80`, `unix:/path`, `original-destination`,
    /// `requested`: a text that parses as the same address.
    public var description: String {
        switch self {
        case .name(let name, let port): "\(name):\(port)"
        case .address(let address): address.description
        case .linkLocal(let address, let zone, let port): "[\(address)%\(zone)]:\(port)"
        case .originalDestination: Self.originalDestinationText
        case .requested: Self.requestedText
        }
    }
}
