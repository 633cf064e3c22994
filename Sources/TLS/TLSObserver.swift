/// Observes the encrypted side of a session, for recordings and a key log.
///
/// The closures are called on the session's thread during its steps, and must not use the session. Keys come before the
/// first bytes that they decrypt, and before the message after which they are in force: during the handshake, bytes are
/// passed on when the step that moved them is complete.
public struct TLSObserver {
    /// A line of the key log (the format of NSS), without its end: the keys of this session, for anyone who reads it.
    public var keys: ([UInt8]) -> Void
    /// Encrypted bytes that were sent to the peer or received from it. Received without bytes: the peer has ended its
    /// half. Nil: only keys are observed.
    public var bytes: ((RawSpan, Way) -> Void)?

    /// The way of encrypted bytes.
    public enum Way: Hashable, Sendable {
        /// From the peer.
        case received
        /// To the peer.
        case sent
    }

    /// An observer.
    public init(keys: @escaping ([UInt8]) -> Void, bytes: ((RawSpan, Way) -> Void)?) {
        self.keys = keys
        self.bytes = bytes
    }
}
