internal import CLinux
internal import Glibc

/// A descriptor that this process was started with is not what it should be.
public enum InheritanceFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// Nothing is open under that number.
    case notOpen
    /// A file, a pipe or something else that nobody can connect to.
    case notASocket
    /// A socket of datagrams or packets.
    case notAStream
    /// A family that Tapline does not relay.
    case otherFamily
    /// A connection, or a socket that was never told to listen.
    case notListening

    /// What it is, to stand behind "is" in a sentence.
    public var description: String {
        switch self {
        case .notOpen: "not open"
        case .notASocket: "no socket"
        case .notAStream: "no stream socket"
        case .otherFamily: "neither a TCP nor a Unix socket"
        case .notListening: "a socket that does not listen"
        }
    }
}

/// Listening sockets that come from another process, and go to one.
extension Socket {
    /// Takes over a listening stream socket that this process was started with, by its number. It is non-blocking and
    /// closed on exec from then on. What is something else stays open and untouched.
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

    /// Takes over one end of a `pair` that this process was started with, by its number.
    public init(inheritingChannel descriptor: CInt) {
        // Neither can fail on an open descriptor; on another one the first use says so.
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = tapline_set_nonblocking(descriptor)
        self.init(adopting: descriptor)
    }

    /// Whether it is bound to every interface of IPv6 and takes clients of IPv4 too (ipv6(7), `IPV6_V6ONLY` off).
    public var servesBothFamilies: Bool {
        guard case .ipv6(.any, _, _) = localAddress else { return false }
        return Self.option(fd, IPV6_V6ONLY, CInt(IPPROTO_IPV6)) == 0
    }

    /// Whether further sockets of this user may be bound beside it (`SO_REUSEPORT`).
    public var allowsSharing: Bool { Self.option(fd, SO_REUSEPORT) == 1 }

    /// What tells one socket from all others, however many descriptors it has (`SO_COOKIE`); nil where the system does
    /// not say.
    public var cookie: UInt64? {
        var cookie: UInt64 = 0
        var length = socklen_t(MemoryLayout<UInt64>.size)
        return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 ? cookie : nil
    }

    /// A second descriptor of the same socket, closed on exec, whose number is not under `lowest`: those below are kept
    /// free for a process that is started with it.
    public func duplicate(from lowest: CInt) throws(Errno) -> Socket {
        let copy = fcntl(fd, F_DUPFD_CLOEXEC, lowest)
        if copy < 0 { throw Errno.current }
        return Socket(adopting: copy)
    }

    /// Two sockets that are connected to each other, non-blocking and closed on exec: a way to talk to a process that
    /// is started with one of them.
    public static func pair() throws(Errno) -> (first: SocketParcel, second: SocketParcel) {
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let ends = withUnsafeTemporaryAllocation(of: CInt.self, capacity: 2) { ends -> (CInt, CInt)? in
            guard socketpair(AF_UNIX, type, 0, ends.baseAddress) == 0 else { return nil }
            return (ends[0], ends[1])
        }
        guard let ends else { throw Errno.current }
        return (SocketParcel(Socket(adopting: ends.0)), SocketParcel(Socket(adopting: ends.1)))
    }

    /// Writes a few bytes, as many as there is room for: for a `pair`, whose other end reads them soon.
    public borrowing func send(_ bytes: [UInt8]) -> Transfer {
        Transfer(Errno.retrying { Glibc.send(fd, bytes, bytes.count, CInt(MSG_NOSIGNAL)) })
    }

    private static func option(_ fd: CInt, _ name: CInt, _ level: CInt = SOL_SOCKET) -> CInt? {
        var value: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        return getsockopt(fd, level, name, &value, &length) == 0 ? value : nil
    }
}
