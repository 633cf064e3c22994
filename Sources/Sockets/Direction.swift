/// One of a connection's two ends.
public enum Side: String, CaseIterable, Hashable, Sendable, BitwiseCopyable {
    /// The client that connected to a listener, and the upstream that the relay forwards to.
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

    /// The side that sends its bytes.
    @inlinable
    public var source: Side { self == .up ? .client : .upstream }

    /// The side that receives its bytes.
    @inlinable
    public var destination: Side { source.other }
}
