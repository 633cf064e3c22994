/// One of a connection's two ends.
public enum Side: String, CaseIterable, Hashable, Sendable, BitwiseCopyable {
    /// Whoever connected to a listener, and what the relay forwards to.
    case client, upstream

    /// The other end.
    @inlinable
    public var other: Side { self == .client ? .upstream : .client }
}

/// One direction of a connection.
public enum Direction: String, CaseIterable, Hashable, Sendable, BitwiseCopyable {
    /// Client to upstream, and upstream to client.
    case up, down

    /// The direction that leads away from a side.
    @inlinable
    public init(from side: Side) {
        self = side == .client ? .up : .down
    }

    /// Where its bytes come from.
    @inlinable
    public var source: Side { self == .up ? .client : .upstream }

    /// Where its bytes go.
    @inlinable
    public var destination: Side { source.other }
}
