import Configuration
import Sockets

/// The address of an admin API for a client: the value of `--admin`, or derived from `admin.listen`.
package enum AdminAddress: Hashable, Sendable, CustomStringConvertible {
    /// A host, as a name or an IP literal without brackets, and a port.
    case tcp(host: String, port: UInt16)
    /// A Unix socket's absolute path.
    case unix(path: String)

    /// Reads `PORT`, `HOST:PORT`, `[IPv6]:PORT` or `unix:PATH`, and `http://…/`, as copied from a browser. A relative
    /// path is relative to the directory.
    init(parsing text: String, directory: String) throws(ValueError) {
        var address = Substring(text)
        if address.hasPrefix("http://") {
            address = address.dropFirst("http://".count)
            while address.hasSuffix("/") { address = address.dropLast() }
        }
        // A port alone and `*` are listener addresses; a client connects to loopback instead.
        if let listen = try? ListenAddress(parsing: String(address), directory: directory) {
            guard listen.port != 0 else { throw ValueError("`\(text)`: cannot connect to port 0") }
            self.init(listen)
            return
        }
        switch try UpstreamAddress(parsing: String(address), directory: directory) {
        case .name(let name, let port): self = .tcp(host: name, port: port)
        case .address(let address): self.init(address)
        case .linkLocal(let address, let zone, let port): self = .tcp(host: "\(address)%\(zone)", port: port)
        case .originalDestination, .requested:
            throw ValueError("`\(text)` is an upstream of relays, not the address of an admin API")
        }
    }

    /// The address for connecting to a listener of this machine from this machine.
    init(_ listen: ListenAddress) {
        switch listen {
        case .loopback(let port), .everyInterface(let port): self = .tcp(host: "127.0.0.1", port: port)
        case .address(let address): self.init(address)
        case .unix(let path, _): self = .unix(path: path)
        }
    }

    private init(_ address: SocketAddress) {
        switch address {
        case .ipv4(let host, let port): self = .tcp(host: address.isWildcard ? "127.0.0.1" : "\(host)", port: port)
        case .ipv6(let host, let port, _):
            let zone = address.zone.map { "%\($0)" } ?? ""
            self = .tcp(host: address.isWildcard ? "::1" : "\(host)\(zone)", port: port)
        case .unix(let path): self = .unix(path: path)
        }
    }

    /// As it is written for `--admin`.
    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// The value of `Host`: without a zone, which has a meaning on this machine only (RFC 6874, section 4). A server on
    /// a Unix socket ignores it.
    var host: String {
        switch self {
        case .tcp(let host, let port):
            host.contains(":") ? "[\(host.prefix { $0 != "%" })]:\(port)" : description
        case .unix: "localhost"
        }
    }
}
