/// An address that this process still listens on and is about to release. Another part of the process may bind it, or
/// an address that overlaps it, before that.
public struct HeldAddress: Hashable, Sendable {
    /// The address that the socket is bound to.
    public let address: SocketAddress
    /// The file of a Unix socket; nil while the file belongs to the previous process.
    public let file: SocketFile?

    /// An address, and the file of a Unix socket.
    public init(_ address: SocketAddress, file: SocketFile? = nil) {
        self.address = address
        self.file = file
    }
}
