internal import Synchronization

/// The counters of one relay's recordings, across its recorders and configurations. Any thread.
package final class RecordingCounters: Sendable {
    private let recordedBytes = Atomic<UInt64>(0)
    private let droppedBytes = Atomic<UInt64>(0)

    package init() {}

    /// Recorded bytes.
    package var recorded: UInt64 { recordedBytes.load(ordering: .relaxed) }
    /// Bytes that were to be recorded and were lost.
    package var dropped: UInt64 { droppedBytes.load(ordering: .relaxed) }

    package func addRecorded(_ count: UInt64) {
        recordedBytes.wrappingAdd(count, ordering: .relaxed)
    }

    package func addDropped(_ count: UInt64) {
        droppedBytes.wrappingAdd(count, ordering: .relaxed)
    }
}
