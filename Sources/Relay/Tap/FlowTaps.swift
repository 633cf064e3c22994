internal import Recording

/// The point on a connection's flows where copies of their bytes are taken: what a destination's socket took, when it
/// took it.
///
/// Owned by the connection's flows, on the worker's thread; what it hands the bytes to returns at once. Constant, so that
/// an event counts few references; another set of taps is another object.
final class FlowTaps {
    /// Shows bytes of the connection of that id as they pass.
    private let view: (@Sendable (UInt64, Direction, RawSpan) -> Void)?
    private let connection: UInt64
    /// Recordings, in files and live.
    private let recordings: [ConnectionTap]
    /// The one of them that must be whole.
    private let whole: ConnectionTap?
    /// How much may be moved at once.
    let mostAtOnce: Int

    /// What takes bytes of the connection of that id.
    init(
        _ recordings: [ConnectionTap], connection: UInt64, view: (@Sendable (UInt64, Direction, RawSpan) -> Void)?
    ) {
        self.view = view
        self.connection = connection
        self.recordings = recordings
        whole = recordings.first { $0.room != nil }
        mostAtOnce = whole?.room?.mostAtOnce ?? .max
    }

    /// Whether the flows wait for a recording rather than pass bytes that it has no room for.
    var mustBeWhole: Bool { whole != nil }

    /// Makes sure that so many bytes find room, where a recording must be whole. When that fails, the recorder tells the
    /// workers later that there is room.
    func reserve(_ count: Int) -> Bool { whole?.room?.reserve(count) ?? true }

    /// The bytes that room was made sure of have been taken, or will not come now.
    func settle() {
        if let whole, let room = whole.room, room.settle() { whole.recorder.hasRoom() }
    }

    /// Bytes were delivered, after so many others.
    func take(_ bytes: RawSpan, of direction: Direction, at offset: UInt64) {
        for position in recordings.indices { recordings[position].take(bytes, of: direction, at: offset) }
        if let view { view(connection, direction, bytes) }
    }
}
