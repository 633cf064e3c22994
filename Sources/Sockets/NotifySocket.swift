internal import Glibc

/// The way to the service manager: a datagram of `KEY=value` lines to the socket that it names in `NOTIFY_SOCKET`
/// (sd_notify(3), "Environment" and "Notes").
///
/// A value; any thread. A socket is made for each message, which finds the manager also after it was executed anew.
public struct NotifySocket: Hashable, Sendable {
    /// The variable that names it.
    public static let variable = "NOTIFY_SOCKET"

    /// How long the manager may take until it has room for a message, in milliseconds.
    private static let patience: CInt = 1000

    private let address: SocketAddress

    /// By its name: an absolute path, or `@` and a name that is no path. Nil for anything else, such as the vsock: of
    /// virtual machines, which only the first process of one is given.
    public init?(_ name: String) {
        let isKnown = (name.hasPrefix("/") || name.hasPrefix("@")) && name.utf8.count > 1
        guard isKnown, name.utf8.count <= SocketAddress.longestUnixPath else { return nil }
        address = .unix(path: name)
    }

    /// Sends lines. Waits a moment when the manager is behind.
    public func send(_ lines: String) throws(Errno) {
        let type = CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let fd = socket(AF_UNIX, type, 0)
        guard fd >= 0 else { throw .current }
        defer { _ = Glibc.close(fd) }
        guard address.withSockaddr({ connect(fd, $0, $1) }) == 0 else { throw .current }
        let bytes = Array(lines.utf8)
        for attempt in 0... {
            if Errno.retrying({ Glibc.send(fd, bytes, bytes.count, CInt(MSG_NOSIGNAL)) }) >= 0 { return }
            guard errno == EAGAIN, attempt == 0 else { throw .current }
            var entry = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
            _ = Errno.retrying { poll(&entry, 1, Self.patience) }
        }
    }
}
