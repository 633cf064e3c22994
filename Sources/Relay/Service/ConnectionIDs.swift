internal import Synchronization

/// Numbers the connections of a process, and keeps blocks of numbers for the processes that may take over from it, so
/// that no number occurs twice in a lineage. Any thread.
///
/// Both processes accept clients for a moment, and a process that fails to take over may have accepted some. Numbers
/// stay whole in JSON, whose readers may have 53 bits.
final class ConnectionIDs: Sendable {
    /// The first number of a process that takes over is one more than a multiple of this, and its block is this long.
    static let block: UInt64 = 1_000_000
    /// The numbers that the older process has left for itself while the other one starts: 30,000 clients a second for
    /// the 30 s that a start may take.
    static let room: UInt64 = 900_000
    /// Beyond this, numbers start again at 1. A lineage does not live that long.
    static let most: UInt64 = 1 << 52

    private let first: UInt64
    private let next: Atomic<UInt64>
    /// The blocks of processes that were started, from the first to the end of the last; empty: `.max`, 0.
    private let reservedFrom = Atomic<UInt64>(.max)
    private let reservedTo = Atomic<UInt64>(0)

    /// `first` comes from another process; a number out of range is replaced by 1.
    init(first: UInt64 = 1) {
        self.first = (1...Self.most).contains(first) ? first : 1
        next = Atomic(self.first)
    }

    /// The last number that was taken; nil before the first.
    var last: UInt64? {
        let next = next.load(ordering: .relaxed)
        return next == first ? nil : next &- 1
    }

    /// Whether a connection may have had the number: in this process, in an older one, or in one that it has started.
    func mayHaveTaken(_ id: UInt64) -> Bool {
        let isReserved = id >= reservedFrom.load(ordering: .relaxed) && id < reservedTo.load(ordering: .relaxed)
        return id > 0 && id < next.load(ordering: .relaxed) || isReserved
    }

    /// The next number.
    func take() -> UInt64 {
        let id = next.add(1, ordering: .relaxed).oldValue
        guard id >= reservedFrom.load(ordering: .relaxed), id < reservedTo.load(ordering: .relaxed) else { return id }
        // Each thread that gets here moves the counter to at least the same number, and takes another one.
        next.max(reservedTo.load(ordering: .relaxed), ordering: .relaxed)
        return next.add(1, ordering: .relaxed).oldValue
    }

    /// Keeps a block for a process that is about to start, and returns its first number. One thread at a time.
    func reserve() -> UInt64 {
        let first = Self.first(after: next.load(ordering: .relaxed), reservedTo.load(ordering: .relaxed))
        reservedTo.store(first &+ Self.block, ordering: .relaxed)
        if reservedFrom.load(ordering: .relaxed) == .max { reservedFrom.store(first, ordering: .relaxed) }
        return first
    }

    /// The first number of the next block. `next` is the older process's next number, `end` the end of the last block.
    static func first(after next: UInt64, _ end: UInt64) -> UInt64 {
        let least = min(most, max(next, 1)) - 1 + room
        let first = max((least + block - 1) / block * block + 1, end)
        return first < most ? first : 1
    }
}
