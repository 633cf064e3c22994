internal import CLinux
internal import Glibc

/// The result of a non-blocking read or write. An enum and not an error, because `wouldBlock` is ordinary.
@frozen
public enum Transfer: Hashable, Sendable {
    /// The number of bytes moved, at least one.
    case moved(Int)
    /// The peer has ended its half of the stream (reads only).
    case endOfStream
    /// Nothing to read or no room to write now.
    case wouldBlock
    /// The call failed; this cleared the socket's pending error.
    case failed(Errno)

    @inline(__always)
    init(_ result: Int) {
        if result > 0 {
            self = .moved(result)
        } else if result == 0 {
            self = .endOfStream
        } else {
            let error = errno
            self = error == EAGAIN ? .wouldBlock : .failed(Errno(error))
        }
    }
}

/// A non-blocking stream socket with one owner, closed on exec.
///
/// `close` or `deinit` closes it, exactly once. Not tied to a thread; it cannot be copied, so there is no second owner.
public struct Socket: ~Copyable, Sendable {
    /// The descriptor, only for watches; negative after `close`.
    public private(set) var fd: CInt

    /// Adopts a descriptor that is already non-blocking.
    public init(adopting fd: CInt) {
        self.fd = fd
    }

    /// A new stream socket of an address family (`AF_INET`, `AF_INET6`, `AF_UNIX`).
    public init(family: CInt) throws(Errno) {
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        fd = Glibc.socket(family, type, 0)
        if fd < 0 { throw Errno.current }
    }

    deinit {
        guard fd >= 0 else { return }
        _ = Glibc.close(fd)
    }

    /// Closes the socket; a second call does nothing. The kernel still sends unsent bytes, except after `resetOnClose`.
    public mutating func close() {
        guard fd >= 0 else { return }
        // Linux frees the descriptor even if close fails (close(2)).
        _ = Glibc.close(fd)
        fd = -1
    }

    /// Returns the descriptor, which the caller then owns.
    public consuming func release() -> CInt {
        let released = fd
        fd = -1
        return released
    }

    // MARK: Addresses

    /// The local address; nil if there is none.
    public var localAddress: SocketAddress? { Self.localAddress(of: fd) }

    /// The local address of a descriptor that has another owner; nil if there is none.
    package static func localAddress(of fd: CInt) -> SocketAddress? {
        SocketAddress.filled { getsockname(fd, $0, $1) }.address
    }

    /// The peer's address; nil if not connected.
    public var peerAddress: SocketAddress? {
        let (result, address) = SocketAddress.filled { getpeername(fd, $0, $1) }
        return result == 0 ? address : nil
    }

    // MARK: Connecting

    /// The state of a connect.
    public enum ConnectOutcome: Hashable, Sendable {
        /// The socket is connected.
        case connected
        /// The connect is in progress; the socket becomes writable when it completes or fails.
        case inProgress
        /// The connect failed.
        case failed(Errno)
    }

    /// Starts to connect. A loopback peer has accepted or refused when connect(2) returns, so polling at once saves
    /// waiting for an event. It uses poll(2), because if the peer has already sent bytes and reset, a second connect(2)
    /// would disconnect the socket and discard those bytes.
    public func connect(to address: SocketAddress) -> ConnectOutcome {
        let code = address.withSockaddr { pointer, length in
            Errno.retrying { Glibc.connect(fd, pointer, length) } == 0 ? 0 : errno
        }
        switch code {
        case 0, EISCONN: return .connected
        case EINPROGRESS, EALREADY: return address.isLoopback ? polledConnect : .inProgress
        // EAGAIN from a Unix socket means that its queue is full (connect(2)); the caller may retry.
        default: return .failed(Errno(code))
        }
    }

    /// The current state of a connect in progress.
    private var polledConnect: ConnectOutcome {
        var entry = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
        guard poll(&entry, 1, 0) > 0 else { return .inProgress }
        guard entry.revents & Int16(POLLERR | POLLHUP) != 0, let error = takeError() else { return .connected }
        return .failed(error)
    }

    /// Gets and clears the socket's pending error (`SO_ERROR`); nil if there is none.
    public func takeError() -> Errno? {
        var error: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        guard getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 else { return .current }
        return error == 0 ? nil : Errno(error)
    }

    // MARK: Moving bytes

    /// Reads up to `limit` bytes into the start of a buffer.
    @inline(__always)
    public borrowing func receive(into buffer: ByteBuffer, limit: Int) -> Transfer {
        Transfer(Errno.retrying { recv(fd, buffer.base, min(limit, buffer.capacity), 0) })
    }

    /// Like `receive`, but leaves the bytes in the socket (`MSG_PEEK`).
    public borrowing func peek(into buffer: ByteBuffer, limit: Int) -> Transfer {
        Transfer(Errno.retrying { recv(fd, buffer.base, min(limit, buffer.capacity), CInt(MSG_PEEK)) })
    }

    /// Writes as many of the bytes as there is room for; `bytes` must not be empty.
    public borrowing func send(_ bytes: ArraySlice<UInt8>) -> Transfer {
        precondition(!bytes.isEmpty)
        return bytes.withUnsafeBytes { bytes in
            Transfer(Errno.retrying { Glibc.send(fd, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL)) })
        }
    }

    /// Writes `count` bytes of a buffer from `offset` on, as many as there is room for.
    @inline(__always)
    public borrowing func send(_ buffer: ByteBuffer, from offset: Int, count: Int) -> Transfer {
        precondition(offset >= 0 && count > 0 && offset + count <= buffer.capacity)
        return Transfer(
            Errno.retrying { Glibc.send(fd, buffer.base + offset, count, CInt(MSG_NOSIGNAL)) })
    }

    /// Moves bytes from the socket into a pipe inside the kernel.
    @inline(__always)
    public borrowing func splice(into pipe: Pipe, limit: Int) -> Transfer {
        Transfer(Errno.retrying { tapline_splice(fd, pipe.writeEnd, limit) })
    }

    /// Moves bytes from a pipe into the socket inside the kernel.
    @inline(__always)
    public borrowing func splice(from pipe: Pipe, limit: Int) -> Transfer {
        Transfer(Errno.retrying { tapline_splice(pipe.readEnd, fd, limit) })
    }

    /// Ends the outgoing half of the stream (FIN) after the bytes written. An error means that the connection is
    /// already gone, which the next read reports.
    public func endWriting() {
        _ = Glibc.shutdown(fd, CInt(SHUT_WR))
    }

    /// Bytes that the peer's kernel has not acknowledged (TCP), or that the peer has not read (Unix).
    public var unsentBytes: Int {
        var bytes: CInt = 0
        return tapline_unsent(fd, &bytes) == 0 ? Int(bytes) : 0
    }

    /// Bytes received and not yet read.
    public var unreadBytes: Int {
        var bytes: CInt = 0
        return tapline_unread(fd, &bytes) == 0 ? Int(bytes) : 0
    }

    /// Whether the socket has failed or both halves of the stream have ended (poll(2), without waiting).
    public var hasFailedOrEnded: Bool {
        var entry = pollfd(fd: fd, events: 0, revents: 0)
        return poll(&entry, 1, 0) > 0 && entry.revents & Int16(POLLERR | POLLHUP) != 0
    }
}
