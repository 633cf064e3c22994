/// The destination of a tunnel, as its client wrote it. Immutable; any thread.
public struct TunnelTarget: Hashable, Sendable {
    /// A host name, an IPv4 address, or an IPv6 address without brackets: 1 to 255 printable ASCII characters without
    /// spaces. Not checked beyond that.
    public let host: String
    /// The port, from 1.
    public let port: UInt16

    /// A destination.
    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }
}
