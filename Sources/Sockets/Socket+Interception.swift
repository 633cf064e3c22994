internal import Glibc

/// What a transparent relay asks of its sockets.
extension Socket {
    /// `SO_ORIGINAL_DST` (linux/netfilter_ipv4.h) and `IP6T_SO_ORIGINAL_DST` (linux/netfilter_ipv6/ip6_tables.h): one
    /// number at two levels, which glibc does not have.
    private static let originalDestinationOption: CInt = 80

    /// Where the peer of an accepted TCP socket wanted to go, by the connection tracking of the socket's network namespace:
    /// its destination before it was redirected, or the socket's own address where it was not.
    ///
    /// ENOENT when the connection is not tracked, as where no rule asks for it; ENOPROTOOPT when nothing is tracked at all.
    public borrowing func originalDestination() throws(Errno) -> SocketAddress {
        // By the address that came to it: on a socket of both families an IPv4 client is tracked as IPv4.
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

    /// Marks what the socket sends (`SO_MARK`), for rules of the system. EPERM without CAP_NET_ADMIN.
    public borrowing func set(mark: UInt32) throws(Errno) {
        try set(SOL_SOCKET, SO_MARK, CInt(bitPattern: mark))
    }
}
