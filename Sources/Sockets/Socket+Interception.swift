internal import Glibc

/// Options for transparent relays.
extension Socket {
    /// `SO_ORIGINAL_DST` (linux/netfilter_ipv4.h) and `IP6T_SO_ORIGINAL_DST` (linux/netfilter_ipv6/ip6_tables.h), which
    /// have the same number and are missing in glibc.
    private static let originalDestinationOption: CInt = 80

    /// The original destination of an accepted TCP connection, from the connection tracking of the socket's network
    /// namespace: the address before redirection, or the socket's own address if it was not redirected.
    ///
    /// ENOENT if the connection is not tracked, e.g. because no rule requires it; ENOPROTOOPT without tracking.
    public borrowing func originalDestination() throws(Errno) -> SocketAddress {
        // By the connection's address family: a dual-stack socket's IPv4 clients are tracked as IPv4.
        let level: CInt =
            switch localAddress?.family {
            case AF_INET: CInt(IPPROTO_IP)
            case AF_INET6: CInt(IPPROTO_IPV6)
            default: throw Errno(EOPNOTSUPP)
            }
        let (result, address) = SocketAddress.filled {
            getsockopt(fd, level, Self.originalDestinationOption, $0, $1)
        }
        guard result == 0 else { throw .current }
        guard let address else { throw Errno(EAFNOSUPPORT) }
        return address
    }

    /// Marks the socket's packets for firewall and routing rules (`SO_MARK`). EPERM without CAP_NET_ADMIN.
    public borrowing func set(mark: UInt32) throws(Errno) {
        try set(SOL_SOCKET, SO_MARK, CInt(bitPattern: mark))
    }
}
