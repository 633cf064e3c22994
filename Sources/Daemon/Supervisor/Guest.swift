package import Relay

/// What runs in addition to the relays on the main thread: the demo.
package struct Guest {
    /// The relays accept clients.
    var started: (Supervisor) throws -> Void
    /// A connection ended.
    var ended: (ConnectionRecord) -> Void
    /// The supervisor is about to stop: the guest closes what it opened on the loop.
    var stopping: () -> Void

    /// A guest with these three hooks.
    package init(
        started: @escaping (Supervisor) throws -> Void, ended: @escaping (ConnectionRecord) -> Void,
        stopping: @escaping () -> Void
    ) {
        self.started = started
        self.ended = ended
        self.stopping = stopping
    }
}
