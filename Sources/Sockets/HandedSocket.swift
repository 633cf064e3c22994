/// A listening socket that another process passed to this one, or that this one passes on.
///
/// Any thread; the code that takes the socket out of the parcel owns it. It must not be shut down: that would end it
/// for the other process too (sd_listen_fds(3)).
public struct HandedSocket: Sendable {
    /// The process that passed the socket and also has it open.
    public enum Origin: Hashable, Sendable {
        /// The service manager, which created it and keeps it open.
        case manager
        /// A previous Tapline process, which is about to close it; with the file of a Unix socket, which is to be
        /// removed when the socket is no longer served.
        case process(file: SocketFile?)
    }

    /// The socket.
    public let parcel: SocketParcel
    /// The descriptor number at which it was inherited, or 0; for messages.
    public let descriptor: CInt
    /// The address that it is bound to.
    public let address: SocketAddress
    /// The name of its relay, or its name in the service manager.
    public let label: String
    /// The process that passed it.
    public private(set) var origin: Origin
    /// Whether it is bound to every IPv6 interface and also accepts IPv4 clients.
    public let servesBothFamilies: Bool

    /// Wraps a socket; nil if it has no address.
    public init?(_ socket: consuming Socket, descriptor: CInt = 0, label: String, origin: Origin) {
        guard let address = socket.localAddress else { return nil }
        self.address = address
        self.descriptor = descriptor
        self.label = label
        self.origin = origin
        servesBothFamilies = socket.servesBothFamilies
        parcel = SocketParcel(socket)
    }

    /// The same socket with the file of a Unix socket.
    public func with(file: SocketFile?) -> HandedSocket {
        var socket = self
        if origin != .manager { socket.origin = .process(file: file) }
        return socket
    }

    /// The file of a Unix socket that this process has to remove.
    public var file: SocketFile? {
        if case .process(let file) = origin { file } else { nil }
    }
}
