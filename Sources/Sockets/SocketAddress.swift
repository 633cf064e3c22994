public import Glibc

/// A socket's address: an IP address with a port, or the path of a Unix socket.
///
/// IPv4-mapped IPv6 addresses from the kernel become IPv4 addresses, so each peer has one form.
public enum SocketAddress: Hashable, Sendable {
    /// An IPv4 address and a port.
    case ipv4(IPv4Address, port: UInt16)
    /// An IPv6 address, a port, and the interface index for link-local addresses (0: none).
    case ipv6(IPv6Address, port: UInt16, scope: UInt32 = 0)
    /// A Unix socket; an unnamed one has the empty path, an abstract one starts with `@` in place of its NUL.
    case unix(path: String)

    /// Parses a numeric IP address without a port: `192.0.2.1`, `2001:db8::1`, `fe80::1%eth0`; nil for anything else.
    public init?(numericHost host: String, port: UInt16) {
        if let address = IPv4Address(host) {
            self = .ipv4(address, port: port)
            return
        }
        let parts = host.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        guard let text = parts.first, let address = IPv6Address(String(text)) else { return nil }
        var scope: UInt32 = 0
        if parts.count == 2 {
            guard let index = try? Self.scope(ofZone: String(parts[1])) else { return nil }
            scope = index
        }
        self = .ipv6(address, port: port, scope: scope)
    }

    /// The interface index of a zone, which is an interface name or number (RFC 4007, section 11.2). Callers keep the
    /// name and look it up for each use, because an interface that is created again gets another index. `ENODEV` if
    /// there is no such interface.
    public static func scope(ofZone zone: String) throws(Errno) -> UInt32 {
        if let number = UInt32(zone), number != 0 { return number }
        let index = if_nametoindex(zone)
        guard index != 0 else { throw .current }
        return index
    }

    /// The zone of an IPv6 address: the interface name, or the index if the interface no longer exists.
    public var zone: String? {
        guard case .ipv6(_, _, let scope) = self, scope != 0 else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(IF_NAMESIZE)) { buffer in
            guard let name = buffer.baseAddress.flatMap({ if_indextoname(scope, $0) }) else { return "\(scope)" }
            return String(cString: name)
        }
    }

    /// The longest path of a Unix socket, bytes (unix(7): 108 with the NUL).
    public static let longestUnixPath = 107

    /// The port; nil for a Unix socket.
    public var port: UInt16? {
        switch self {
        case .ipv4(_, let port), .ipv6(_, let port, _): port
        case .unix: nil
        }
    }

    /// The same address with another port; unchanged for a Unix socket.
    public func with(port: UInt16) -> SocketAddress {
        switch self {
        case .ipv4(let address, _): .ipv4(address, port: port)
        case .ipv6(let address, _, let scope): .ipv6(address, port: port, scope: scope)
        case .unix: self
        }
    }

    /// Whether it is a loopback address.
    public var isLoopback: Bool {
        switch self {
        case .ipv4(let address, _): address.isLoopback
        case .ipv6(let address, _, _): address.isLoopback
        case .unix: false
        }
    }

    /// Whether it is the wildcard address, which stands for every interface.
    public var isWildcard: Bool {
        switch self {
        case .ipv4(let address, _): address == .any
        case .ipv6(let address, _, _): address == .any
        case .unix: false
        }
    }

    /// Whether binding both needs `SO_REUSEPORT`: the same family and port, and the same address or a wildcard.
    public func overlaps(_ other: SocketAddress) -> Bool {
        family == other.family && port != nil && port == other.port
            && (self == other || isWildcard || other.isWildcard)
    }

    /// Whether it is a Unix socket.
    public var isUnix: Bool {
        if case .unix = self { true } else { false }
    }

    /// Whether it is an abstract name (unix(7)), which has no file and is released when its socket closes.
    public var isAbstract: Bool {
        if case .unix(let path) = self { path.utf8.first == UInt8(ascii: "@") } else { false }
    }

    /// The address family (`AF_INET`, `AF_INET6`, `AF_UNIX`).
    public var family: CInt {
        switch self {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    /// `192.0.2.1:80`, `[2001:db8::1]:80`, `[fe80::1%eth0]:80`, `unix:/run/app.sock`.
    public var description: String {
        switch self {
        case .ipv4(let address, let port): "\(address):\(port)"
        case .ipv6(let address, let port, 0): "[\(address)]:\(port)"
        case .ipv6(let address, let port, let scope): "[\(address)%\(zone ?? "\(scope)")]:\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

// MARK: sockaddr

extension SocketAddress {
    /// Lends the address as a `sockaddr` for one call; the pointer must not escape the closure.
    public func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        switch self {
        case .ipv4(let address, let port):
            var raw = sockaddr_in()
            raw.sin_family = sa_family_t(AF_INET)
            raw.sin_port = port.bigEndian
            raw.sin_addr.s_addr = address.bits.bigEndian
            return Self.lend(&raw, socklen_t(MemoryLayout<sockaddr_in>.size), body)
        case .ipv6(let address, let port, let scope):
            var raw = sockaddr_in6()
            raw.sin6_family = sa_family_t(AF_INET6)
            raw.sin6_port = port.bigEndian
            raw.sin6_addr = address.raw
            raw.sin6_scope_id = scope
            return Self.lend(&raw, socklen_t(MemoryLayout<sockaddr_in6>.size), body)
        case .unix(let path):
            var raw = sockaddr_un()
            raw.sun_family = sa_family_t(AF_UNIX)
            let abstract = path.utf8.first == UInt8(ascii: "@")
            let count = withUnsafeMutableBytes(of: &raw.sun_path) { bytes in
                let prefix = path.utf8.prefix(Self.longestUnixPath)
                bytes.copyBytes(from: prefix)
                if abstract { bytes[0] = 0 }
                return prefix.count
            }
            let header = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
            return Self.lend(&raw, socklen_t(header + count + (abstract ? 0 : 1)), body)
        }
    }

    private static func lend<Raw, Result>(
        _ raw: inout Raw, _ length: socklen_t, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        withUnsafePointer(to: &raw) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    /// Reads an address from the kernel or a name lookup; nil for an unsupported family.
    public init?(_ pointer: UnsafePointer<sockaddr>, length: socklen_t) {
        let raw = UnsafeRawPointer(pointer)
        switch CInt(pointer.pointee.sa_family) {
        case AF_INET:
            let address = raw.loadUnaligned(as: sockaddr_in.self)
            self = .ipv4(
                IPv4Address(bits: UInt32(bigEndian: address.sin_addr.s_addr)), port: UInt16(bigEndian: address.sin_port)
            )
        case AF_INET6:
            let address = raw.loadUnaligned(as: sockaddr_in6.self)
            let ip = IPv6Address(address.sin6_addr)
            let port = UInt16(bigEndian: address.sin6_port)
            if let mapped = ip.mappedIPv4 {
                self = .ipv4(mapped, port: port)
            } else {
                self = .ipv6(ip, port: port, scope: address.sin6_scope_id)
            }
        case AF_UNIX:
            let header = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
            let bytes = UnsafeRawBufferPointer(start: raw + header, count: max(0, Int(length) - header))
            guard let first = bytes.first else {
                self = .unix(path: "")
                return
            }
            if first == 0 {
                self = .unix(path: "@" + String(decoding: bytes.dropFirst(), as: UTF8.self))
            } else {
                self = .unix(path: String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
            }
        default:
            return nil
        }
    }

    /// Runs a call that fills in an address (`accept4`, `getsockname`, `getpeername`) and returns the address.
    @inline(__always)
    static func filled<Result>(
        by call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Result
    ) -> (result: Result, address: SocketAddress?) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                // A failed call leaves a zeroed family, which reads as nil.
                let result = call(raw, &length)
                return (result, SocketAddress(raw, length: length))
            }
        }
    }
}

extension SocketAddress {
    /// Whether it is an IPv6 address.
    public var isIPv6: Bool {
        if case .ipv6 = self { true } else { false }
    }

    /// Without the interface of a link-local address, which not both ends of a connection report.
    public var withoutScope: SocketAddress {
        if case .ipv6(let address, let port, _) = self { .ipv6(address, port: port) } else { self }
    }
}
