internal import Recorder
internal import Sockets

/// Commands from other threads to a worker.
enum WorkerCommand: Sendable {
    /// Apply a configuration.
    case apply(WorkerPlan)
    /// Paused listeners may be able to accept again.
    case resumeAccepting
    /// Close unused pipes: their descriptors are needed elsewhere.
    case freeIdlePipes
    /// Answer with copies of every open connection's record.
    case list(@Sendable ([ConnectionRecord]) -> Void)
    /// Answer with the state of the open connections: of all, or of one. `kernel`: with the kernel's view of their
    /// sockets.
    case look(only: UInt64?, kernel: Bool, @Sendable ([LiveConnection]) -> Void)
    /// Answer with this worker's number and its counters of each relay, by name.
    case stats(@Sendable ((worker: Int, stats: [String: RelayStats])) -> Void)
    /// Answer, to show that the loop turns.
    case ping(@Sendable (Bool) -> Void)
    /// A recording has room again.
    case tapHasRoom
    /// Record a relay from now on, including its open connections.
    case record(RelayIdentity, Recorder)
    /// Attach a live reader, also to open connections, and count down.
    case attach(Recorder, Latch)
    /// Detach a recorder from everything, and count down.
    case detach(Recorder, Latch)
    /// Only count down: all commands before it have been run.
    case pass(Latch)
    /// End one connection; answers whether it was this worker's.
    case kill(UInt64, @Sendable (Bool) -> Void)
    /// Answer with copies of every listening socket, with descriptors from this number on.
    case copyListeners(from: Int32, @Sendable (Result<[ListenerCopy], Errno>) -> Void)
    /// Close the listeners; clients in their queues are reset.
    case closeListeners
    /// End the connections that are held until their upstream is up, with the reason of the last attempt.
    case refuseHeld
    /// Stop accepting; connections still open after this many milliseconds are reset.
    case drain(UInt64)
    /// Reset everything now.
    case stop
}
