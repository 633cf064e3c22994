internal import Recording
package import Sockets

/// The point on a connection's flows where copies of their bytes are taken: what a destination's socket took, when it
/// took it.
///
/// Owned by the connection's flows, on the worker's thread; what it hands the bytes to returns at once. Constant, so that
/// an event counts few references; another set of taps is another object.
package final class FlowTaps {
    /// Shows bytes of the connection of that id as they pass.
    private let view: (@Sendable (UInt64, Direction, RawSpan) -> Void)?
    private let connection: UInt64
    /// Recordings, in files and live.
    private let recordings: [ConnectionTap]
    /// The only one of them, where there is no other: for a call that must not count a reference.
    private let only: Unmanaged<ConnectionTap>?
    /// The way to the one of them that must be whole, and what is promised there.
    private let whole: RingProducer?
    private let room: RingReservation?
    /// How much may be moved at once.
    package let mostAtOnce: Int

    /// What takes bytes of the connection of that id.
    package init(
        _ recordings: [ConnectionTap], connection: UInt64, view: (@Sendable (UInt64, Direction, RawSpan) -> Void)?
    ) {
        self.view = view
        self.connection = connection
        self.recordings = recordings
        only = recordings.count == 1 ? .passUnretained(recordings[0]) : nil
        whole = recordings.lazy.map(\.lane).first { $0.room != nil }
        room = whole?.room
        mostAtOnce = room?.mostAtOnce ?? .max
    }

    /// Whether any of them needs a flow's next bytes, from an offset on: a live view always, a recording up to its limit.
    /// If not, the flow may splice.
    package func needBytes(of direction: Direction, from offset: UInt64) -> Bool {
        view != nil || recordings.contains { $0.needsBytes(of: direction, from: offset) }
    }

    /// Whether the flows wait for a recording rather than pass bytes that it has no room for.
    package var mustBeWhole: Bool { room != nil }

    /// Makes sure that so many bytes find room, where a recording must be whole. When that fails, the recorder tells the
    /// workers later that there is room.
    @inline(__always)
    package func reserve(_ count: Int) -> Bool { room?.reserve(count) ?? true }

    /// The bytes that room was made sure of have been taken, or will not come now.
    @inline(__always)
    package func settle() { whole?.settle() }

    /// Bytes were delivered, after so many others.
    package func take(_ bytes: RawSpan, of direction: Direction, at offset: UInt64) {
        if let only {
            only._withUnsafeGuaranteedRef { $0.take(bytes, of: direction, at: offset) }
        } else {
            for tap in recordings { tap.take(bytes, of: direction, at: offset) }
        }
        if let view { view(connection, direction, bytes) }
    }
}
