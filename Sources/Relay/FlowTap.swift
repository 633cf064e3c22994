internal import Recording

/// The point on a flow where a copy of its bytes is taken: what the destination's socket took, when it took it.
///
/// Owned by its flow, on the worker's thread; what it hands the bytes to must return at once.
struct FlowTap {
    let connection: UInt64
    let direction: Direction
    let sink: @Sendable (UInt64, Direction, RawSpan) -> Void

    func take(_ bytes: RawSpan) {
        sink(connection, direction, bytes)
    }
}
