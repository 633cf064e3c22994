internal import Recording
package import Sockets

/// All taps of a connection, which get copies of the bytes delivered to a destination's socket.
///
/// Owned by the connection's flows, on the worker's thread; the taps never block. Immutable, to avoid reference
/// counting per event: another set of taps is another object.
package final class FlowTaps {
    /// A live view of the bytes of the connection with that ID.
    private let view: (@Sendable (UInt64, Direction, RawSpan) -> Void)?
    private let connection: UInt64
    /// Recordings to files and live.
    private let recordings: [ConnectionTap]
    /// The recording if there is only one, for calls without reference counting.
    private let only: Unmanaged<ConnectionTap>?
    /// The recording that must be whole, its producer, and its reservation.
    private let whole: Unmanaged<ConnectionTap>?
    private let blockingProducer: RingProducer?
    private let room: RingReservation?
    /// The largest number of bytes to move at once.
    package let mostAtOnce: Int

    /// Taps on the connection with that ID.
    package init(
        _ recordings: [ConnectionTap], connection: UInt64, view: (@Sendable (UInt64, Direction, RawSpan) -> Void)?
    ) {
        self.view = view
        self.connection = connection
        self.recordings = recordings
        only = recordings.count == 1 ? .passUnretained(recordings[0]) : nil
        let whole = recordings.first { $0.producer.room != nil }
        self.whole = whole.map(Unmanaged.passUnretained)
        blockingProducer = whole?.producer
        room = blockingProducer?.room
        mostAtOnce = room?.mostAtOnce ?? .max
    }

    /// Whether any of them needs a flow's next bytes, from an offset on: a live view always, a recording up to its limit.
    /// If not, the flow may splice.
    package func needBytes(of direction: Direction, from offset: UInt64) -> Bool {
        view != nil || recordings.contains { $0.needsBytes(of: direction, from: offset) }
    }

    /// Whether a flow waits for room in a recording instead of dropping bytes from it: up to the recording's limit.
    @inline(__always)
    package func mustBeWhole(of direction: Direction, from offset: UInt64) -> Bool {
        whole?._withUnsafeGuaranteedRef { $0.needsBytes(of: direction, from: offset) } ?? false
    }

    /// Reserves room for bytes of a flow, if a recording must be complete. If it fails, the recorder notifies the
    /// workers when there is room.
    @inline(__always)
    package func reserve(_ count: Int) -> Bool { room?.reserve(count) ?? true }

    /// Releases reserved room that the delivered bytes did not use.
    @inline(__always)
    package func releaseUnused() { blockingProducer?.releaseUnused() }

    /// Passes bytes that were delivered at `offset` to the taps.
    package func record(_ bytes: RawSpan, of direction: Direction, at offset: UInt64) {
        if let only {
            only._withUnsafeGuaranteedRef { $0.record(bytes, of: direction, at: offset) }
        } else {
            for tap in recordings { tap.record(bytes, of: direction, at: offset) }
        }
        if let view { view(connection, direction, bytes) }
    }
}
