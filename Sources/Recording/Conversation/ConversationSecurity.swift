public import Sockets

/// A TLS session of a connection whose plaintext is recorded. A value; any thread.
///
/// Texts from peers are printable ASCII of bounded length.
public struct ConversationSecurity: Hashable, Sendable {
    /// The side with which the session is.
    public var side: Side
    /// When its handshake began, microseconds after the client was accepted.
    public var beganAfter: UInt64
    /// How long its handshake took, microseconds.
    public var took: UInt64
    /// The version and the cipher suite, such as `TLSv1.3 TLS_AES_128_GCM_SHA256`.
    public var parameters: String
    /// The application protocol that was negotiated; nil without one.
    public var application: String?
    /// The server name that the client has sent; nil without one.
    public var serverName: String?
    /// The identity in the peer's certificate; nil without one.
    public var peer: String?

    /// A session whose handshake is complete.
    public init(
        side: Side, beganAfter: UInt64, took: UInt64, parameters: String, application: String? = nil,
        serverName: String? = nil, peer: String? = nil
    ) {
        self.side = side
        self.beganAfter = beganAfter
        self.took = took
        self.parameters = parameters
        self.application = application
        self.serverName = serverName
        self.peer = peer
    }
}
