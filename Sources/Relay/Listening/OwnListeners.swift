internal import Configuration
internal import Glibc
internal import Sockets

/// The addresses that this process listens on, to find a relay that would forward to itself.
struct OwnListeners: Hashable, Sendable {
    private let exact: Set<SocketAddress>
    /// Every port among them: asked for each relay of a configuration.
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

    /// Whether an upstream could be one of them, as far as its port or path tells: mostly not, and then no connection
    /// to it needs a look.
    func mayInclude(_ upstream: UpstreamAddress) -> Bool {
        switch upstream {
        case .name(_, let port), .linkLocal(_, _, let port): ports.contains(port)
        case .address(let address): address.port.map(ports.contains) ?? exact.contains(address)
        // Looked at before it is dialled: Connection+Interception.swift.
        case .originalDestination: false
        }
    }

    /// Whether connecting to an address would reach one of them. `localAddresses` is asked only when a port fits one
    /// that is bound on every interface.
    func contains(
        _ address: SocketAddress, localAddresses: () -> Set<SocketAddress> = LocalAddresses.read
    ) -> Bool {
        if exact.contains(address) { return true }
        switch address {
        case .unix:
            return false
        case .ipv4(.any, let port):
            // Connecting to no address reaches this machine itself.
            return contains(.ipv4(.loopback, port: port))
        case .ipv6(.any, let port, _):
            return contains(.ipv6(.loopback, port: port)) || contains(.ipv4(.loopback, port: port))
        case .ipv4(let ip, let port):
            guard wildcardPorts4.contains(port) else { return false }
            return ip.isLoopback || localAddresses().contains(.ipv4(ip, port: 0))
        case .ipv6(let ip, let port, _):
            // Listeners have a zone only where their address is link-local; elsewhere the system does not look at it.
            if exact.contains(.ipv6(ip, port: port)) { return true }
            guard wildcardPorts6.contains(port) else { return false }
            return ip.isLoopback || localAddresses().contains(.ipv6(ip, port: 0))
        }
    }
}
