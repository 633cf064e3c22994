internal import Synchronization

/// The progress of a recorder. Any thread.
package final class RecorderProgress: Sendable {
    /// A snapshot.
    package struct View: Sendable {
        /// The current file.
        package var file: String?
        package var recorded: UInt64 = 0
        package var dropped: UInt64 = 0
        /// Why nothing can be written now, if so.
        package var trouble: String?
        fileprivate var isRetired = false
        /// Bytes that did not fit into the ring since the last `takeMissed`.
        fileprivate var missed: UInt64 = 0
    }

    private let view = Mutex(View())

    package var now: View { view.withLock { $0 } }
    package var isRetired: Bool { view.withLock { $0.isRetired } }

    package func retire() {
        view.withLock { $0.isRetired = true }
    }

    func missed(_ count: UInt64) {
        view.withLock { view in
            view.dropped &+= count
            view.missed &+= count
        }
    }

    /// Returns and resets the bytes that did not fit into the ring.
    func takeMissed() -> UInt64 {
        view.withLock { view in
            let missed = view.missed
            view.missed = 0
            return missed
        }
    }

    func update(_ change: (inout View) -> Void) {
        view.withLock { change(&$0) }
    }
}
