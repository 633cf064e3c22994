internal import Synchronization

/// The workers that did not get a command; the caller counts the latch down for them.
struct Absent {
    let count: Int
    let last: Latch

    func down() {
        for _ in 0..<count { last.down() }
    }
}

/// Calls its action when it has been counted down as often as expected. Any thread.
final class Latch: Sendable {
    private let left: Atomic<Int>
    private let action: @Sendable () -> Void

    init(_ count: Int, action: @escaping @Sendable () -> Void) {
        left = Atomic(count)
        self.action = action
    }

    func down() {
        if left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { action() }
    }
}
