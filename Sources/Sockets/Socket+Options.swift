internal import CLinux
internal import Glibc

/// Options of a connection's sockets. Accepted sockets inherit them from their listener.
extension Socket {
    /// Keepalive settings: how an idle connection detects a dead peer.
    public struct Keepalive: Hashable, Sendable {
        /// Idle seconds before the first probe.
        public var idle: Int32
        /// Seconds between probes.
        public var interval: Int32
        /// Unanswered probes before the connection counts as dead.
        public var probes: Int32

        /// 60 s idle, then three probes 15 s apart.
        public static let standard = Keepalive(idle: 60, interval: 15, probes: 3)
    }

    /// Sends small messages without delay (`TCP_NODELAY`).
    public func sendSmallMessagesAtOnce() throws(Errno) {
        try set(CInt(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    /// Receives urgent bytes in the stream (`SO_OOBINLINE`).
    public func receiveUrgentBytesInline() throws(Errno) {
        try set(SOL_SOCKET, SO_OOBINLINE, 1)
    }

    /// Turns keepalive on (tcp(7)).
    public func set(_ keepalive: Keepalive) throws(Errno) {
        try set(CInt(IPPROTO_TCP), TCP_KEEPIDLE, keepalive.idle)
        try set(CInt(IPPROTO_TCP), TCP_KEEPINTVL, keepalive.interval)
        try set(CInt(IPPROTO_TCP), TCP_KEEPCNT, keepalive.probes)
        try set(SOL_SOCKET, SO_KEEPALIVE, 1)
    }

    /// Sets the congestion control by its kernel name (`TCP_CONGESTION`).
    public func setCongestionControl(_ name: String) throws(Errno) {
        let result = name.withCString {
            setsockopt(fd, CInt(IPPROTO_TCP), TCP_CONGESTION, $0, socklen_t(name.utf8.count))
        }
        if result != 0 { throw Errno.current }
    }

    /// Makes the next close reset the connection and discard unsent bytes (`SO_LINGER` 0). A Unix socket has no reset.
    public func resetOnClose() {
        var value = linger(l_onoff: 1, l_linger: 0)
        // It cannot fail on a stream socket; a closed connection has nothing left to reset.
        _ = setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
    }

    func set(_ level: CInt, _ option: CInt, _ value: CInt) throws(Errno) {
        var value = value
        if setsockopt(fd, level, option, &value, socklen_t(MemoryLayout<CInt>.size)) != 0 { throw Errno.current }
    }

    /// The process at the other end of a Unix socket when it connected or listened (SO_PEERCRED, unix(7)), and its user;
    /// nil for other sockets.
    public var peerCredentials: (process: Int32, user: UInt32)? {
        // `struct ucred`, which the C library shows to GNU programs only.
        var peer: (process: Int32, user: UInt32, group: UInt32) = (0, 0, 0)
        var size = socklen_t(MemoryLayout.size(ofValue: peer))
        guard getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0, peer.process > 0 else { return nil }
        return (peer.process, peer.user)
    }

    /// The part of the kernel's `TCP_INFO` that Tapline reads.
    public struct Info: Hashable, Sendable {
        /// Consecutive retransmissions of the oldest unacknowledged segment.
        public var retransmits: Int
        /// Consecutive unanswered window or keepalive probes.
        public var probes: Int
        /// Unacknowledged segments.
        public var unacknowledged: Int
        /// Milliseconds since the last acknowledgement arrived.
        public var sinceLastAcknowledgement: Int
        /// Smoothed round-trip time, microseconds.
        public var roundTrip: Int
        /// Maximum segment size for sending, bytes.
        public var segmentSize: Int
        /// Retransmitted segments since the connection began.
        public var totalRetransmits: Int
    }

    /// The kernel's statistics of a TCP connection; nil for other sockets.
    public var info: Info? {
        var raw = tapline_tcp_info()
        var length = socklen_t(MemoryLayout<tapline_tcp_info>.size)
        guard getsockopt(fd, CInt(IPPROTO_TCP), TCP_INFO, &raw, &length) == 0 else { return nil }
        return Info(
            retransmits: Int(raw.retransmits), probes: Int(raw.probes), unacknowledged: Int(raw.unacked),
            sinceLastAcknowledgement: Int(raw.last_ack_recv), roundTrip: Int(raw.rtt),
            segmentSize: Int(raw.snd_mss), totalRetransmits: Int(raw.total_retrans))
    }

    /// The congestion control in use (`TCP_CONGESTION`); nil for other sockets.
    public var congestionControl: String? {
        // The kernel's names have at most 15 bytes and a NUL (TCP_CA_NAME_MAX).
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { buffer in
            var length = socklen_t(buffer.count)
            guard getsockopt(fd, CInt(IPPROTO_TCP), TCP_CONGESTION, buffer.baseAddress, &length) == 0 else {
                return nil
            }
            let name = buffer.prefix(Int(length)).prefix { $0 != 0 }
            return String(decoding: name, as: UTF8.self)
        }
    }
}

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
