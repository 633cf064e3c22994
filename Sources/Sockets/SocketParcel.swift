internal import Synchronization

/// A socket in transit to another thread: the first `take` gets it. If it is never taken, `deinit` closes it.
public final class SocketParcel: Sendable {
    private let content: Mutex<Socket?>

    /// Wraps a socket.
    public init(_ socket: consuming Socket) {
        content = Mutex(consume socket)
    }

    /// Removes the socket; nil after the first call.
    public func takeSocket() -> Socket? {
        content.withLock { $0.take() }
    }

    /// The socket's descriptor number, valid while the parcel holds the socket; nil after `take`.
    public var descriptor: Int32? { content.withLock { $0?.fd } }

    /// Whether other sockets of this user may bind the same address.
    public var allowsSharing: Bool { content.withLock { $0?.allowsSharing ?? false } }

    /// Another descriptor of the socket, numbered at least `lowest`; nil after `take`.
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
