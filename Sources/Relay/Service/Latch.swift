internal import Synchronization

/// Workers that did not hear a question, and whoever asked it.
struct Absent {
    let count: Int
    let last: Latch

    func down() {
        for _ in 0..<count { last.down() }
    }
}

/// Calls back when the last of several has come. Any thread.
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
