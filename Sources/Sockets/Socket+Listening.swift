internal import CLinux
internal import Glibc

/// Listening sockets.
extension Socket {
    /// Binds to an address. `sharing` lets other sockets of this user bind it too (`SO_REUSEPORT`). It is only for the
    /// additional sockets of a listener, because otherwise an address in use would go unnoticed.
    public func bind(to address: SocketAddress, sharing: Bool) throws(Errno) {
        switch address {
        case .unix: break
        case .ipv6:
            try set(CInt(IPPROTO_IPV6), IPV6_V6ONLY, 1)
            fallthrough
        case .ipv4:
            // Connections of a process that has just exited must not block the address (socket(7)).
            try set(SOL_SOCKET, SO_REUSEADDR, 1)
            if sharing { try allowSharing() }
        }
        let result = address.withSockaddr { Glibc.bind(fd, $0, $1) }
        if result != 0 { throw Errno.current }
    }

    /// Lets other sockets of this user bind the same address (`SO_REUSEPORT`).
    public func allowSharing() throws(Errno) {
        try set(SOL_SOCKET, SO_REUSEPORT, 1)
    }

    /// Starts to listen, with the longest backlog that the system grants.
    public func listen() throws(Errno) {
        if Glibc.listen(fd, 4096) != 0 { throw Errno.current }
    }

    /// The result of `accept`.
    public enum Accepted: ~Copyable {
        /// A client and its address.
        case client(Socket, SocketAddress)
        /// The queue is empty.
        case queueEmpty
        /// The call failed.
        case failed(Errno)
    }

    /// Accepts the next client, non-blocking and closed on exec.
    public borrowing func accept() -> Accepted {
        let (result, address) = SocketAddress.filled { pointer, length in
            Errno.retrying { tapline_accept(fd, pointer, length) }
        }
        guard result >= 0 else {
            let error = errno
            return error == EAGAIN ? .queueEmpty : .failed(Errno(error))
        }
        return .client(Socket(adopting: result), address ?? .unix(path: ""))
    }
}

/// Why an inherited descriptor is not a listening socket that Tapline can serve.
public enum InheritanceFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// The descriptor is not open.
    case notOpen
    /// A file, a pipe or another descriptor that is not a socket.
    case notASocket
    /// A datagram or packet socket.
    case notAStream
    /// A socket of an address family that Tapline does not relay.
    case otherFamily
    /// A socket that does not listen, such as a connection.
    case notListening

    /// A phrase that follows "is".
    public var description: String {
        switch self {
        case .notOpen: "not open"
        case .notASocket: "not a socket"
        case .notAStream: "not a stream socket"
        case .otherFamily: "neither a TCP nor a Unix socket"
        case .notListening: "a socket that does not listen"
        }
    }
}

/// Sockets that are inherited from another process or passed to one.
extension Socket {
    /// Adopts an inherited listening stream socket and makes it non-blocking and closed on exec. If it throws, the
    /// descriptor stays open and unchanged.
    public static func inheriting(_ descriptor: CInt) throws(InheritanceFault) -> Socket {
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else { throw .notOpen }
        guard facts.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket }
        guard option(descriptor, SO_TYPE) == CInt(SOCK_STREAM.rawValue) else { throw .notAStream }
        let families = [AF_INET, AF_INET6, AF_UNIX]
        guard let family = option(descriptor, SO_DOMAIN), families.contains(family) else { throw .otherFamily }
        guard option(descriptor, SO_ACCEPTCONN) == 1 else { throw .notListening }
        // Neither can fail on an open descriptor.
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = tapline_set_nonblocking(descriptor)
        return Socket(adopting: descriptor)
    }

    /// Adopts an inherited end of a `pair`.
    public init(inheritingChannel descriptor: CInt) {
        // Neither can fail on an open descriptor; otherwise the first use reports it.
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = tapline_set_nonblocking(descriptor)
        self.init(adopting: descriptor)
    }

    /// Whether it is bound to every IPv6 interface and also accepts IPv4 clients (ipv6(7), `IPV6_V6ONLY` off).
    public var servesBothFamilies: Bool {
        guard case .ipv6(.any, _, _) = localAddress else { return false }
        return Self.option(fd, IPV6_V6ONLY, CInt(IPPROTO_IPV6)) == 0
    }

    /// Whether other sockets of this user may bind the same address (`SO_REUSEPORT`).
    public var allowsSharing: Bool { Self.option(fd, SO_REUSEPORT) == 1 }

    /// The socket's unique number, the same for all its descriptors (`SO_COOKIE`); nil if unsupported.
    public var cookie: UInt64? {
        var cookie: UInt64 = 0
        var length = socklen_t(MemoryLayout<UInt64>.size)
        return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 ? cookie : nil
    }

    /// A second descriptor of the same socket, closed on exec, numbered at least `lowest`; lower numbers stay free for
    /// the descriptors of a program to be started.
    public func duplicate(from lowest: CInt) throws(Errno) -> Socket {
        let copy = fcntl(fd, F_DUPFD_CLOEXEC, lowest)
        if copy < 0 { throw Errno.current }
        return Socket(adopting: copy)
    }

    /// A second descriptor of the same socket, closed on exec.
    public func duplicate() throws(Errno) -> Socket {
        try duplicate(from: 3)
    }

    /// A connected pair of sockets, non-blocking and closed on exec, to communicate with a process that inherits one.
    public static func pair() throws(Errno) -> (first: SocketParcel, second: SocketParcel) {
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let ends = withUnsafeTemporaryAllocation(of: CInt.self, capacity: 2) { ends -> (CInt, CInt)? in
            guard socketpair(AF_UNIX, type, 0, ends.baseAddress) == 0 else { return nil }
            return (ends[0], ends[1])
        }
        guard let ends else { throw Errno.current }
        return (SocketParcel(Socket(adopting: ends.0)), SocketParcel(Socket(adopting: ends.1)))
    }

    /// Writes as many bytes as there is room for; for a `pair`, whose other end reads soon.
    public borrowing func send(_ bytes: [UInt8]) -> Transfer {
        Transfer(Errno.retrying { Glibc.send(fd, bytes, bytes.count, CInt(MSG_NOSIGNAL)) })
    }

    private static func option(_ fd: CInt, _ name: CInt, _ level: CInt = SOL_SOCKET) -> CInt? {
        var value: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        return getsockopt(fd, level, name, &value, &length) == 0 ? value : nil
    }
}
