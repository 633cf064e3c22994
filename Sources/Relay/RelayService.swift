public import Configuration
public import Logging
public import Sockets

// STUB: the lead is writing the real one; this file only fixes the API and must not be edited on this branch.

/// One direction of a connection.
public enum Direction: String, CaseIterable, Hashable, Sendable {
    /// Client to upstream, and upstream to client.
    case up, down
}

/// Who hears of what the workers do. Called on a worker's thread: must return at once and never block.
public struct Observer: Sendable {
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

/// The workers of a configuration, running.
public final class RelayService: Sendable {
    /// A listener as it was bound: port 0 has become the port it got.
    public struct BoundListener: Hashable, Sendable {
        /// The relay's name.
        public let relay: String
        /// The address.
        public let address: SocketAddress
    }

    /// Every listener, in the order of the configuration.
    public let listeners: [BoundListener]

    /// Binds every listener, starts the workers and accepts. Throws a `SystemError` that names the address, the reason
    /// and what to do; nothing is left behind then.
    public static func start(_ configuration: Configuration, observer: Observer, logger: Logger) throws -> RelayService {
        preconditionFailure("stub")
    }

    init() { listeners = [] }

    /// How many connections are open.
    public var openConnections: Int { 0 }

    /// Copies of the records of every open connection, from every worker.
    public func connections() async -> [ConnectionRecord] { [] }

    /// Stops accepting and lets open connections finish; what is left at the bound is reset (`drained`).
    public func drain(within bound: Duration) {}

    /// Resets everything now (`drained`); end records are still made.
    public func stop() {}

    /// Waits for the workers' threads, after `Observer.stopped` was called.
    public func join() {}
}
