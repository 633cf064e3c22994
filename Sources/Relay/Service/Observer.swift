internal import Recording
public import Sockets

/// Callbacks for the workers' events. Called on a worker's thread: they must return at once and never block.
public struct Observer: Sendable {
    /// A client was accepted, and its PROXY header has been read if one is expected. Called only while
    /// `RelayService.reportsOpenings` or `wantsOpenings` is on. A connection that ends earlier reports only its end.
    public var opened: @Sendable (ConnectionRecord) -> Void = { _ in }
    /// Whether `opened` is called from the first client on, whether or not events are followed.
    public var wantsOpenings = false
    /// A client is held because its upstream is not up (`timeouts.wait`). Called once for each such client.
    public var held: @Sendable (HeldClient) -> Void = { _ in }
    /// A connection ended; its record is complete.
    public var ended: @Sendable (ConnectionRecord) -> Void
    /// Bytes that the destination took, with the connection's id; nil: no tap, and flows may splice.
    public var traffic: (@Sendable (UInt64, Direction, RawSpan) -> Void)?
    /// Every worker has ended its work, after `drain` or `stop`. Called once.
    public var stopped: @Sendable () -> Void

    /// An observer with these callbacks.
    public init(
        ended: @escaping @Sendable (ConnectionRecord) -> Void = { _ in },
        traffic: (@Sendable (UInt64, Direction, RawSpan) -> Void)? = nil,
        stopped: @escaping @Sendable () -> Void = {}
    ) {
        self.ended = ended
        self.traffic = traffic
        self.stopped = stopped
    }
}
