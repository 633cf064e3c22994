internal import Glibc

/// The addresses of this machine's interfaces.
public enum LocalAddresses {
    /// Reads them from the system (getifaddrs(3)), with port 0 and without zones.
    public static func read() -> Set<SocketAddress> {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var found: Set<SocketAddress> = []
        var entry = list
        while let current = entry {
            if let raw = current.pointee.ifa_addr,
                let address = SocketAddress(raw, length: socklen_t(MemoryLayout<sockaddr_in6>.size)), !address.isUnix
            {
                if case .ipv6(let ip, _, _) = address {
                    found.insert(.ipv6(ip, port: 0))
                } else {
                    found.insert(address)
                }
            }
            entry = current.pointee.ifa_next
        }
        return found
    }
}
