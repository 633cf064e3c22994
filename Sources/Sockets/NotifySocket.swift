internal import Glibc

/// The service manager's notification socket: datagrams of `KEY=value` lines to the socket named in `NOTIFY_SOCKET`
/// (sd_notify(3), "Environment" and "Notes").
///
/// A value; any thread. Each message uses a new socket, so that it reaches a manager that has re-executed itself.
public struct NotifySocket: Hashable, Sendable {
    /// The environment variable that names it.
    public static let variable = "NOTIFY_SOCKET"

    /// How long to wait for room in the manager's queue, milliseconds.
    private static let patience: CInt = 1000

    private let address: SocketAddress

    /// The socket with an absolute path or an `@abstract` name. Nil for anything else, such as `vsock:`, which only the
    /// first process of a virtual machine gets.
    public init?(_ name: String) {
        let isKnown = (name.hasPrefix("/") || name.hasPrefix("@")) && name.utf8.count > 1
        guard isKnown, name.utf8.count <= SocketAddress.longestUnixPath else { return nil }
        address = .unix(path: name)
    }

    /// Sends lines. Waits briefly if the manager's queue is full.
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
