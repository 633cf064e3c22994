internal import Synchronization

/// What the recordings of one relay came to, over all its recorders and configurations. Any thread.
final class RecordingCounters: Sendable {
    private let recordedBytes = Atomic<UInt64>(0)
    private let droppedBytes = Atomic<UInt64>(0)

    /// Bytes that are in a recording.
    var recorded: UInt64 { recordedBytes.load(ordering: .relaxed) }
    /// Bytes that should be and are not.
    var dropped: UInt64 { droppedBytes.load(ordering: .relaxed) }

    func addRecorded(_ count: UInt64) {
        recordedBytes.wrappingAdd(count, ordering: .relaxed)
    }

    func addDropped(_ count: UInt64) {
        droppedBytes.wrappingAdd(count, ordering: .relaxed)
    }
}
