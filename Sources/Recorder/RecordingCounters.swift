internal import Synchronization

/// What the recordings of one relay came to, over all its recorders and configurations. Any thread.
package final class RecordingCounters: Sendable {
    private let recordedBytes = Atomic<UInt64>(0)
    private let droppedBytes = Atomic<UInt64>(0)

    package init() {}

    /// Bytes that are in a recording.
    package var recorded: UInt64 { recordedBytes.load(ordering: .relaxed) }
    /// Bytes that should be and are not.
    package var dropped: UInt64 { droppedBytes.load(ordering: .relaxed) }

    package func addRecorded(_ count: UInt64) {
        recordedBytes.wrappingAdd(count, ordering: .relaxed)
    }

    package func addDropped(_ count: UInt64) {
        droppedBytes.wrappingAdd(count, ordering: .relaxed)
    }
}
