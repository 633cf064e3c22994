internal import Recording
public import Sockets

/// Who hears of what the workers do. Called on a worker's thread: must return at once and never block.
public struct Observer: Sendable {
    /// A client was accepted, and its PROXY header, where one is awaited, is there; reported only while
    /// `RelayService.reportsOpenings` is on. A connection that ends before that has only its end.
    public var opened: @Sendable (ConnectionRecord) -> Void = { _ in }
    /// A connection ended; its record is complete.
    public var ended: @Sendable (ConnectionRecord) -> Void
    /// Bytes that passed (the destination took them), with the connection's id; nil: no tap, flows may be spliced.
    public var traffic: (@Sendable (UInt64, Direction, RawSpan) -> Void)?
    /// Every worker has ended its work, after `drain` or `stop`. Called once.
    public var stopped: @Sendable () -> Void

    /// Hooks.
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
