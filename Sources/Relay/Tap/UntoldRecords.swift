internal import EventLoop
internal import Sockets
internal import Synchronization

/// Records of connections that are over and whose recorder has yet to say what it wrote of them.
///
/// A recorder usually says so within some milliseconds. When the disk hangs no record waits longer than a second: it
/// is reported, and what is not written by then counts as dropped. Only where the recording must be whole, a record
/// waits as the bytes do. Any thread.
final class UntoldRecords: Sendable {
    private struct Untold {
        let record: ConnectionRecord
        let account: TapAccount
        let counters: RecordingCounters
        /// What the ring took of it, and whether that is sure to be written one day.
        let taken: UInt64
        let isWaitedFor: Bool
        let since: UInt64
    }

    /// How long a record waits for its recorder, nanoseconds.
    private static let patience: UInt64 = 1_000_000_000

    private let untold = Mutex<[UInt64: Untold]>([:])
    private let count = Atomic<Int>(0)
    private let tell: @Sendable (ConnectionRecord) -> Void

    init(tell: @escaping @Sendable (ConnectionRecord) -> Void) {
        self.tell = tell
    }

    var isEmpty: Bool { count.load(ordering: .relaxed) == 0 }

    /// A connection is over; its record says what the ring took and what it did not. `isBlocking`: what the ring took is
    /// written as soon as that is possible, however long it takes.
    func add(
        _ record: ConnectionRecord, _ account: TapAccount, _ counters: RecordingCounters, taken: UInt64,
        isBlocking: Bool
    ) {
        count.add(1, ordering: .relaxed)
        let one = Untold(
            record: record, account: account, counters: counters, taken: taken, isWaitedFor: isBlocking,
            since: EventLoop.nanoseconds)
        untold.withLock { $0[record.id] = one }
    }

    /// A recorder has done what it can for a connection. Others than the one whose account the record has, such as those
    /// of live taps, change nothing.
    func told(_ id: UInt64, _ account: TapAccount) {
        guard let one = take(id, where: { $0.account === account }) else { return }
        tell(one, lost: account.lost)
    }

    /// The record of a connection that is over and whose recorder is waited for; what it says of its recording may yet
    /// change.
    func record(of id: UInt64) -> ConnectionRecord? { untold.withLock { $0[id]?.record } }

    /// Tells what has waited for too long.
    func tellOverdue() {
        guard !isEmpty else { return }
        let now = EventLoop.nanoseconds
        let overdue = untold.withLock { untold in
            untold.filter { !$0.value.isWaitedFor && Monotonic.elapsed(from: $0.value.since, to: now) >= Self.patience }
                .map(\.key)
        }
        tellNow(overdue)
    }

    /// Tells everything: no recorder will any more.
    func tellAll() {
        tellNow(untold.withLock { Array($0.keys) })
    }

    private func tellNow(_ ids: [UInt64]) {
        for id in ids {
            guard let one = take(id) else { continue }
            let (lost, uncounted) = one.account.close(taken: one.taken)
            one.counters.addDropped(uncounted)
            tell(one, lost: lost)
        }
    }

    private func take(_ id: UInt64, where isIt: (Untold) -> Bool = { _ in true }) -> Untold? {
        let one = untold.withLock { untold in
            untold[id].map(isIt) == true ? untold.removeValue(forKey: id) : nil
        }
        if one != nil { count.subtract(1, ordering: .relaxed) }
        return one
    }

    private func tell(_ one: Untold, lost: UInt64) {
        var record = one.record
        // The worker and the recorder's thread count, each for itself.
        let recorded = record.recordedBytes ?? 0
        record.recordedBytes = recorded - min(recorded, lost)
        record.droppedBytes = (record.droppedBytes ?? 0) &+ lost
        tell(record)
    }
}
