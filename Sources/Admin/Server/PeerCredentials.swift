internal import Glibc
internal import NIOCore

/// The process at the other end of a Unix socket (SO_PEERCRED, unix(7)): `struct ucred`.
struct PeerCredentials: Sendable {
    var process: Int32
    var user: UInt32
    var group: UInt32

    /// Whether a channel's client is a process of this process's user. On the channel's loop.
    static func isOfOwnUser(_ channel: any Channel) -> Bool {
        var isOwn = false
        // On the loop, the result is there at once, and so this is called at once.
        of(channel)?.assumeIsolated().whenSuccess { isOwn = $0.user == geteuid() }
        return isOwn
    }

    /// The credentials of a channel's client; nil where it has no socket.
    static func of(_ channel: any Channel) -> EventLoopFuture<PeerCredentials>? {
        guard let options = channel as? any SocketOptionProvider else { return nil }
        let level = NIOBSDSocket.OptionLevel(rawValue: SOL_SOCKET)
        return options.unsafeGetSocketOption(level: level, name: .init(rawValue: SO_PEERCRED))
    }
}
