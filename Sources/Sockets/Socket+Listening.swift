internal import CLinux
internal import Glibc
internal import Synchronization

/// A socket that listens.
extension Socket {
    /// Binds to an address. `sharing` lets other sockets of this user bind it too (`SO_REUSEPORT`): for the further
    /// sockets of a listener only, because an address in use must be found.
    public func bind(to address: SocketAddress, sharing: Bool) throws(Errno) {
        switch address {
        case .unix: break
        case .ipv6:
            try set(CInt(IPPROTO_IPV6), IPV6_V6ONLY, 1)
            fallthrough
        case .ipv4:
            // Connections of a process that has just ended must not keep the address (socket(7)).
            try set(SOL_SOCKET, SO_REUSEADDR, 1)
            if sharing { try allowSharing() }
        }
        let result = address.withSockaddr { Glibc.bind(fd, $0, $1) }
        if result != 0 { throw Errno.current }
    }

    /// Lets further sockets of this user bind the same address (`SO_REUSEPORT`).
    public func allowSharing() throws(Errno) {
        try set(SOL_SOCKET, SO_REUSEPORT, 1)
    }

    /// Starts to listen, with as long a queue as the system grants.
    public func listen() throws(Errno) {
        if Glibc.listen(fd, 4096) != 0 { throw Errno.current }
    }

    /// What asking for a waiting client said.
    public enum Accepted: ~Copyable {
        /// A client, and its address.
        case client(Socket, SocketAddress)
        /// Nobody waits.
        case nobody
        /// The call failed.
        case failed(Errno)
    }

    /// Takes the next client from the queue, non-blocking and closed on exec.
    public borrowing func accept() -> Accepted {
        let (result, address) = SocketAddress.filled { pointer, length in
            Errno.retrying { tapline_accept(fd, pointer, length) }
        }
        guard result >= 0 else {
            let error = errno
            return error == EAGAIN ? .nobody : .failed(Errno(error))
        }
        return .client(Socket(adopting: result), address ?? .unix(path: ""))
    }
}

/// A socket on its way to another thread: whoever takes it first owns it. Dropped untaken, it closes.
public final class SocketParcel: Sendable {
    private let content: Mutex<Socket?>

    /// Packs a socket.
    public init(_ socket: consuming Socket) {
        content = Mutex(consume socket)
    }

    /// The socket, once; nil from the second call on.
    public func take() -> Socket? {
        content.withLock { $0.take() }
    }

    /// The number of the socket's descriptor, for whoever keeps the parcel meanwhile; nil when it was taken.
    public var descriptor: Int32? { content.withLock { $0?.fd } }

    /// Whether further sockets of this user may be bound beside the one in it.
    public var allowsSharing: Bool { content.withLock { $0?.allowsSharing ?? false } }

    /// Another descriptor of the socket in it, not numbered under `lowest`; nil when it was taken.
    public func duplicate(from lowest: CInt = 3) throws(Errno) -> Socket? {
        var failure: Errno?
        let copy = content.withLock { socket -> CInt? in
            do throws(Errno) {
                guard let copy = try socket?.duplicate(from: lowest) else { return nil }
                return copy.release()
            } catch {
                failure = error
                return nil
            }
        }
        if let failure { throw failure }
        return copy.map { Socket(adopting: $0) }
    }
}

extension Socket {
    /// A second descriptor of the same socket, closed on exec.
    public func duplicate() throws(Errno) -> Socket {
        try duplicate(from: 3)
    }
}
