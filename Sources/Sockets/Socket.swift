internal import CLinux
internal import Glibc

/// The outcome of moving bytes without waiting. An enum and not an error: "not now" happens all the time.
@frozen
public enum Transfer: Hashable, Sendable {
    /// So many bytes moved, at least one.
    case moved(Int)
    /// The peer has ended its half (read), in order.
    case endOfStream
    /// Nothing to read, or no room to write, at the moment.
    case wouldBlock
    /// The call failed; the socket's own error is now spent.
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

/// A non-blocking stream socket that one owner holds, and that is closed on exec.
///
/// It is closed when its owner lets it go, or by `close`, once either way. Not tied to a thread; a second owner in
/// another thread is impossible because it cannot be copied.
public struct Socket: ~Copyable, Sendable {
    /// The descriptor, for watches only; below zero once it is closed.
    public private(set) var fd: CInt

    /// Dropped unclosed, it resets: for a connection that may only end in order when somebody says so. TCP only.
    public var isResetWhenDropped = false

    /// Takes over a descriptor that is already non-blocking.
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
        if isResetWhenDropped { resetOnClose() }
        _ = Glibc.close(fd)
    }

    /// Closes now; a second call does nothing. The system goes on sending what is unsent, unless `resetOnClose` was
    /// called.
    public mutating func close() {
        guard fd >= 0 else { return }
        // Linux gives the descriptor back whatever close says (close(2)).
        _ = Glibc.close(fd)
        fd = -1
    }

    /// Hands the descriptor over to somebody who closes it; this socket is spent.
    public consuming func release() -> CInt {
        let released = fd
        fd = -1
        return released
    }

    // MARK: Names

    /// The address of this end; nil when the system has none to give.
    public var localAddress: SocketAddress? {
        SocketAddress.filled { getsockname(fd, $0, $1) }.address
    }

    /// The address of the other end; nil when it is not connected.
    public var peerAddress: SocketAddress? {
        let (result, address) = SocketAddress.filled { getpeername(fd, $0, $1) }
        return result == 0 ? address : nil
    }

    // MARK: Connecting

    /// What starting, or asking after, a connect said.
    public enum ConnectOutcome: Hashable, Sendable {
        /// It is connected.
        case connected
        /// It goes on; the socket becomes writable when it is decided.
        case inProgress
        /// It failed.
        case failed(Errno)
    }

    /// Starts to connect. A loopback peer has accepted or refused by the time that the call returns, and asking for it
    /// saves waiting for an event. It is asked with poll(2): a second connect(2) would, when the peer has sent something
    /// and reset by then, disconnect the socket and throw away what was sent.
    public func connect(to address: SocketAddress) -> ConnectOutcome {
        let code = address.withSockaddr { pointer, length in
            Errno.retrying { Glibc.connect(fd, pointer, length) } == 0 ? 0 : errno
        }
        switch code {
        case 0, EISCONN: return .connected
        case EINPROGRESS, EALREADY: return address.isLoopback ? decided : .inProgress
        // A Unix socket whose queue is full says EAGAIN (connect(2)); it is up to the caller to come back.
        default: return .failed(Errno(code))
        }
    }

    /// Whether a connect that goes on is decided already.
    private var decided: ConnectOutcome {
        var entry = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
        guard poll(&entry, 1, 0) > 0 else { return .inProgress }
        guard entry.revents & Int16(POLLERR | POLLHUP) != 0, let error = takeError() else { return .connected }
        return .failed(error)
    }

    /// The socket's pending error, which this call takes off it; nil when there is none.
    public func takeError() -> Errno? {
        var error: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        guard getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 else { return .current }
        return error == 0 ? nil : Errno(error)
    }

    // MARK: Moving bytes

    /// Reads what is there into a buffer, from its start, `limit` bytes at most.
    @inline(__always)
    public borrowing func receive(into buffer: ByteBuffer, limit: Int) -> Transfer {
        Transfer(Errno.retrying { recv(fd, buffer.base, min(limit, buffer.capacity), 0) })
    }

    /// Copies what is there into a buffer, as `receive` does, and leaves it to be read (`MSG_PEEK`).
    public borrowing func peek(into buffer: ByteBuffer, limit: Int) -> Transfer {
        Transfer(Errno.retrying { recv(fd, buffer.base, min(limit, buffer.capacity), CInt(MSG_PEEK)) })
    }

    /// Writes bytes, at least one, as many as there is room for.
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

    /// Ends this end's half of the stream (FIN), after what was written. An error means that the connection is gone
    /// already, which whoever reads from it learns.
    public func endWriting() {
        _ = Glibc.shutdown(fd, CInt(SHUT_WR))
    }

    /// Bytes that the peer's kernel has not acknowledged (TCP), or that the peer has not read (Unix).
    public var unsentBytes: Int {
        var bytes: CInt = 0
        return tapline_unsent(fd, &bytes) == 0 ? Int(bytes) : 0
    }

    /// Bytes that have come and are not read.
    public var unreadBytes: Int {
        var bytes: CInt = 0
        return tapline_unread(fd, &bytes) == 0 ? Int(bytes) : 0
    }

    /// Whether the socket has failed or both halves have ended, asked of the system without waiting.
    public var hasFailedOrEnded: Bool {
        var entry = pollfd(fd: fd, events: 0, revents: 0)
        return poll(&entry, 1, 0) > 0 && entry.revents & Int16(POLLERR | POLLHUP) != 0
    }
}
