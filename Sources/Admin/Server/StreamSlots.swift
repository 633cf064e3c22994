internal import Synchronization

/// A limited number of slots for answers without an end (events, live traffic). Any thread.
final class StreamSlots: Sendable {
    private let most: Int
    private let used = Atomic<Int>(0)

    init(most: Int) {
        self.most = most
    }

    /// Whether no slot is in use.
    var areAllFree: Bool { used.load(ordering: .relaxed) == 0 }

    /// Acquires a slot.
    func acquire() throws(AdminError) -> StreamSlot {
        guard used.add(1, ordering: .relaxed).newValue <= most else {
            release()
            throw .tooManyStreams
        }
        return StreamSlot(of: self)
    }

    fileprivate func release() {
        used.subtract(1, ordering: .relaxed)
    }
}

/// One slot, released by `deinit`: a client can leave before the first byte of its answer, and then no code of the answer
/// runs that could release it.
final class StreamSlot: Sendable {
    private let slots: StreamSlots

    fileprivate init(of slots: StreamSlots) {
        self.slots = slots
    }

    deinit {
        slots.release()
    }
}
