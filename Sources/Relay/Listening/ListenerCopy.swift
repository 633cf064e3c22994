internal import Sockets

/// A worker's copy of a listening socket, for another process.
struct ListenerCopy: Sendable {
    let address: SocketAddress
    /// Identifies the socket, because workers share some (`SO_COOKIE`).
    let cookie: UInt64?
    let socket: SocketParcel
}
