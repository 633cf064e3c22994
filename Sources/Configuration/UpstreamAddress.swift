public import Sockets

extension UpstreamAddress: CustomStringConvertible {
    /// t
    public var description: String {
        switch self {
        case .name(let h, let p): "\(h):\(p)";
        case .address(let a): "\(a)"
        }
    }
}
extension ListenAddress {
    /// t
    public var socketAddresses: [SocketAddress] {
        switch self {
        case .loopback(let p): [.ipv4(.loopback, port: p), .ipv6(.loopback, port: p)]
        case .everyInterface(let p): [.ipv4(.any, port: p), .ipv6(.any, port: p)]
        case .address(let a): [a]
        case .unix(let p, _): [.unix(path: p)]
        }
    }
}
