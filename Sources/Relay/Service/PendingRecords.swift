internal import EventLoop
internal import Recorder
internal import Sockets
internal import Synchronization

/// End records of connections whose recorder has not yet written all their bytes.
///
/// A recorder usually finishes within milliseconds. When the disk hangs, a record is reported after one second, and the
/// bytes that are not written by then count as dropped. Under `when_full: block` a record waits as long as its bytes do.
/// Any thread.
final class PendingRecords: Sendable {
    private struct Pending {
        let record: ConnectionRecord
        let account: TapAccount
        let counters: RecordingCounters
        /// The bytes that the recorder's ring took.
        let taken: UInt64
        /// Those bytes are certain to be written, so the record has no deadline.
        let isBlocking: Bool
        let since: UInt64
    }

    /// How long a record waits for its recorder, nanoseconds.
    private static let reportDelay: UInt64 = 1_000_000_000

    private let pending = Mutex<[UInt64: Pending]>([:])
    private let count = Atomic<Int>(0)
    private let report: @Sendable (ConnectionRecord) -> Void

    init(report: @escaping @Sendable (ConnectionRecord) -> Void) {
        self.report = report
    }

    var isEmpty: Bool { count.load(ordering: .relaxed) == 0 }

    /// Adds the record of an ended connection. The ring took `taken` of its bytes, and the record counts the others as
    /// dropped. `isBlocking`: all of `taken` will be written, however long that takes.
    func add(
        _ record: ConnectionRecord, _ account: TapAccount, _ counters: RecordingCounters, taken: UInt64,
        isBlocking: Bool
    ) {
        count.add(1, ordering: .relaxed)
        let one = Pending(
            record: record, account: account, counters: counters, taken: taken, isBlocking: isBlocking,
            since: EventLoop.nanoseconds)
        pending.withLock { $0[record.id] = one }
    }

    /// A recorder has written or lost the last bytes of a connection. An account other than the record's, such as that of
    /// a live tap, changes nothing.
    func recorderFinished(_ id: UInt64, _ account: TapAccount) {
        guard let one = remove(id, where: { $0.account === account }) else { return }
        report(one, lost: account.lost)
    }

    /// The record of an ended connection whose recorder has not finished; its recorded and dropped bytes may still change.
    func record(of id: UInt64) -> ConnectionRecord? { pending.withLock { $0[id]?.record } }

    /// Reports the records whose deadline has passed.
    func reportOverdue() {
        guard !isEmpty else { return }
        let now = EventLoop.nanoseconds
        let overdue = pending.withLock { pending in
            pending.filter {
                !$0.value.isBlocking && Monotonic.elapsed(from: $0.value.since, to: now) >= Self.reportDelay
            }
            .map(\.key)
        }
        reportNow(overdue)
    }

    /// Reports every record: no recorder is left.
    func reportAll() {
        reportNow(pending.withLock { Array($0.keys) })
    }

    private func reportNow(_ ids: [UInt64]) {
        for id in ids {
            guard let one = remove(id) else { continue }
            let (lost, uncounted) = one.account.close(taken: one.taken)
            one.counters.addDropped(uncounted)
            report(one, lost: lost)
        }
    }

    private func remove(_ id: UInt64, where matches: (Pending) -> Bool = { _ in true }) -> Pending? {
        let one = pending.withLock { pending in
            pending[id].map(matches) == true ? pending.removeValue(forKey: id) : nil
        }
        if one != nil { count.subtract(1, ordering: .relaxed) }
        return one
    }

    private func report(_ one: Pending, lost: UInt64) {
        var record = one.record
        // The worker's count and the recorder's count are taken at different times.
        let recorded = record.recordedBytes ?? 0
        record.recordedBytes = recorded - min(recorded, lost)
        record.droppedBytes = (record.droppedBytes ?? 0) &+ lost
        report(record)
    }
}
