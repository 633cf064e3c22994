internal import Synchronization

/// The progress of a recorder. Any thread.
package final class RecorderProgress: Sendable {
    /// A snapshot.
    package struct View: Sendable {
        /// The current file.
        package var file: String?
        /// The last file, also when it was closed.
        package var lastFile: String?
        /// Packets written. Those of a batch that a failed write has cut are not counted.
        package var packets: UInt64 = 0
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
