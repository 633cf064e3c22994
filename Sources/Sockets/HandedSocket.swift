/// A listening socket on its way from the process that bound it to one that serves it, with what both know of it.
///
/// Any thread; whoever takes the socket out of the parcel owns it. It is never shut down: that would end it for the other
/// process too (sd_listen_fds(3)).
public struct HandedSocket: Sendable {
    /// Who has it open beside, and for how long.
    public enum Origin: Hashable, Sendable {
        /// The service manager, which made it and keeps it.
        case manager
        /// A tapline before this one, which is about to let it go; with the file of a Unix socket, to be removed when it
        /// is no longer served.
        case process(file: SocketFile?)
    }

    /// The socket.
    public let parcel: SocketParcel
    /// The number that it had when it came, or 0; for messages.
    public let descriptor: CInt
    /// Where it is bound.
    public let address: SocketAddress
    /// The name of the relay that it is for, or whatever name the service manager knows it by.
    public let label: String
    /// Who has it open beside.
    public private(set) var origin: Origin
    /// Bound to every interface of IPv6, and for clients of IPv4 too.
    public let servesBothFamilies: Bool

    /// Packs a socket; nil when it has no address.
    public init?(_ socket: consuming Socket, descriptor: CInt = 0, label: String, origin: Origin) {
        guard let address = socket.localAddress else { return nil }
        self.address = address
        self.descriptor = descriptor
        self.label = label
        self.origin = origin
        servesBothFamilies = socket.servesBothFamilies
        parcel = SocketParcel(socket)
    }

    /// The same with the file of a Unix socket, which goes along with it.
    public func with(file: SocketFile?) -> HandedSocket {
        var socket = self
        if origin != .manager { socket.origin = .process(file: file) }
        return socket
    }

    /// The file of a Unix socket that is this process's to remove.
    public var file: SocketFile? {
        if case .process(let file) = origin { file } else { nil }
    }
}
