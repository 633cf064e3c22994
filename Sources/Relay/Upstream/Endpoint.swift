internal import Sockets

/// One address, or one name with a port, that connections are made to. Immutable; any thread.
enum Endpoint: Hashable, Sendable {
    case address(SocketAddress)
    /// The interface's number is looked up for each connection, because it changes when the interface is created again.
    case linkLocal(IPv6Address, zone: String, port: UInt16)
    /// Every address of the name, tried by RFC 8305.
    case name(String, port: UInt16)

    /// The port; nil for a Unix socket.
    var port: UInt16? {
        switch self {
        case .name(_, let port), .linkLocal(_, _, let port): port
        case .address(let address): address.port
        }
    }

    /// The host name; nil for an address.
    var hostName: String? {
        if case .name(let host, _) = self { host } else { nil }
    }
}
