internal import Recording

/// The point on a flow where copies of its bytes are taken: what the destination's socket took, when it took it.
///
/// Owned by its flow, on the worker's thread; what it hands the bytes to returns at once.
struct FlowTaps {
    /// Shows bytes as they pass, with the connection's id.
    var view: (connection: UInt64, show: @Sendable (UInt64, Direction, RawSpan) -> Void)?
    /// Recordings, in files and live; shared with the other flow.
    private(set) var recordings: [ConnectionTap] = []
    /// The one of them that must be whole.
    private var whole: ConnectionTap?
    private(set) var isEmpty = true

    mutating func set(_ recordings: [ConnectionTap]) {
        self.recordings = recordings
        whole = recordings.first { $0.recorder.isBlocking }
        isEmpty = view == nil && recordings.isEmpty
    }

    /// Whether the flow waits for a recording rather than pass bytes that it has no room for.
    var mustBeWhole: Bool { whole != nil }
    var mostAtOnce: Int { whole?.mostAtOnce ?? .max }

    /// Makes sure that so many bytes find room.
    func reserve(_ count: Int) -> Bool { whole?.reserve(count) ?? true }
    func unreserve() { whole?.close() }

    /// Bytes were delivered, after so many others.
    func take(_ bytes: RawSpan, of direction: Direction, at offset: UInt64) {
        for recording in recordings { recording.take(bytes, of: direction, at: offset) }
        view?.show(view?.connection ?? 0, direction, bytes)
    }
}
