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
