public import Sockets

/// Where a relay listens, as configured.
public enum ListenAddress: Hashable, Sendable {
    /// `8080` or `localhost:8080`: 127.0.0.1 and ::1.
    case loopback(port: UInt16)
    /// `*:8080`: one IPv4 and one IPv6 socket for every interface.
    case everyInterface(port: UInt16)
    /// `127.0.0.1:8080`, `[::1]:8080`.
    case address(SocketAddress)
    /// `unix:/path`, with the mode of its file; `unix:@name`, an abstract name, has no file and does not use the mode.
    case unix(path: String, mode: UInt16)

    /// The mode of a Unix listener's file unless `mode` says otherwise.
    public static let defaultUnixMode: UInt16 = 0o660

    /// Parses `PORT`, `*:PORT`, `IP:PORT`, `[IPv6]:PORT`, `localhost:PORT` or `unix:PATH`; a relative path is
    /// resolved in the directory.
    public init(
        parsing text: String, directory: String, mode: UInt16 = ListenAddress.defaultUnixMode
    ) throws(ValueError) {
        if text.hasPrefix("unix:") {
            self = .unix(path: try PathText.socket(text.dropFirst(5), in: directory), mode: mode)
            return
        }
        let parts = try AddressText(text)
        switch parts.host {
        case .absent:
            self = .loopback(port: parts.port)
        case .star:
            self = .everyInterface(port: parts.port)
        case .bracketed(let inside):
            self = .address(try AddressText.ipv6(inside, port: parts.port))
        case .plain(let host):
            if HostName.isLocalhost(host) {
                self = .loopback(port: parts.port)
            } else if let address = IPv4Address(host) {
                self = .address(.ipv4(address, port: parts.port))
            } else {
                throw ValueError(
                    "cannot listen on \(quoted(host)): not an IP address; write an address of this machine, `localhost`, "
                        + "or `*` for every interface")
            }
        }
    }

    /// The addresses to bind, in this order.
    public var socketAddresses: [SocketAddress] {
        switch self {
        case .loopback(let port): [.ipv4(.loopback, port: port), .ipv6(.loopback, port: port)]
        case .everyInterface(let port): [.ipv4(.any, port: port), .ipv6(.any, port: port)]
        case .address(let address): [address]
        case .unix(let path, _): [.unix(path: path)]
        }
    }

    /// The port; nil for a Unix socket.
    public var port: UInt16? {
        switch self {
        case .loopback(let port), .everyInterface(let port): port
        case .address(let address): address.port
        case .unix: nil
        }
    }

    /// Whether it is an abstract name of a Unix socket.
    var isAbstract: Bool { socketAddresses.contains { $0.isAbstract } }

    /// Whether only programs on this machine can reach it.
    public var isLocal: Bool {
        switch self {
        case .loopback, .unix: true
        case .everyInterface: false
        case .address(let address): address.isLoopback
        }
    }
}

extension ListenAddress: CustomStringConvertible {
    /// `localhost:8080`, `*:8080`, `127.0.0.1:8080`, `[::1]:8080`, `unix:/path`: parses as the same
    /// address.
    public var description: String {
        switch self {
        case .loopback(let port): "localhost:\(port)"
        case .everyInterface(let port): "*:\(port)"
        case .address(let address): address.description
        case .unix(let path, _): "unix:\(path)"
        }
    }
}
