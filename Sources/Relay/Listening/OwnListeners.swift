internal import Configuration
internal import Glibc
internal import Sockets

/// The addresses that this process listens on, to find a relay that would forward to itself.
struct OwnListeners: Hashable, Sendable {
    private let exact: Set<SocketAddress>
    /// All ports among them, for the check of each relay of a configuration.
    private let ports: Set<UInt16>
    /// The ports bound on every interface, by family.
    private let wildcardPorts4: Set<UInt16>
    private let wildcardPorts6: Set<UInt16>

    /// Nothing listens yet.
    init() {
        self.init([])
    }

    init(_ addresses: [SocketAddress]) {
        exact = Set(addresses)
        ports = Set(addresses.compactMap(\.port))
        wildcardPorts4 = Set(addresses.filter { $0.isWildcard && $0.family == AF_INET }.compactMap(\.port))
        wildcardPorts6 = Set(addresses.filter { $0.isWildcard && $0.family == AF_INET6 }.compactMap(\.port))
    }

    /// Whether an upstream could be one of them, judging by its port or path: mostly not, and then its connections need
    /// no check.
    func mayInclude(_ upstream: UpstreamAddress) -> Bool {
        switch upstream {
        case .name(_, let port), .linkLocal(_, _, let port): ports.contains(port)
        case .address(let address): address.port.map(ports.contains) ?? exact.contains(address)
        // Checked before it is dialled: OriginalDestination.swift.
        case .originalDestination: false
        // Its clients can request any address.
        case .requested: true
        }
    }

    /// Whether connecting to an address would reach one of them. `localAddresses` is called only if the port is bound
    /// on every interface.
    func contains(
        _ address: SocketAddress, localAddresses: () -> Set<SocketAddress> = LocalAddresses.read
    ) -> Bool {
        if exact.contains(address) { return true }
        switch address {
        case .unix:
            return false
        case .ipv4(.any, let port):
            // Connecting to the unspecified address reaches this machine itself.
            return contains(.ipv4(.loopback, port: port))
        case .ipv6(.any, let port, _):
            return contains(.ipv6(.loopback, port: port)) || contains(.ipv4(.loopback, port: port))
        case .ipv4(let ip, let port):
            guard wildcardPorts4.contains(port) else { return false }
            return ip.isLoopback || localAddresses().contains(.ipv4(ip, port: 0))
        case .ipv6(let ip, let port, _):
            // Listeners have a zone only if their address is link-local; otherwise the system ignores it.
            if exact.contains(.ipv6(ip, port: port)) { return true }
            guard wildcardPorts6.contains(port) else { return false }
            return ip.isLoopback || localAddresses().contains(.ipv6(ip, port: 0))
        }
    }
}
