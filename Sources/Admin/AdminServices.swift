public import Relay

/// What the admin API shows and steers, as values that its owner fills in. Any thread.
///
/// Without `reload` there is no file to read again, and its endpoint answers 409.
public struct AdminServices: Sendable {
    /// The workers.
    public var relays: RelayService
    /// What is true of the process as a whole.
    public var standing: Standing
    /// What happened of late.
    public var journal: Journal
    /// Reads the configuration file again; answers when that is done or refused.
    public var reload: (@Sendable () async -> ReloadReport)?
    /// Starts to drain and to end, as SIGTERM does; a second call does nothing.
    public var drain: @Sendable () -> Void
    /// Does what SIGTERM does: the first time it drains, and after that it ends at once. Answers whether it is at once.
    public var shutdown: @Sendable () async -> Bool
    /// The parts that are always there.
    public init(
        relays: RelayService, standing: Standing, journal: Journal, drain: @escaping @Sendable () -> Void,
        shutdown: @escaping @Sendable () async -> Bool
    ) {
        self.relays = relays
        self.standing = standing
        self.journal = journal
        self.drain = drain
        self.shutdown = shutdown
    }
}

/// How a relay is recorded.
typealias RecordingState = RelayService.RecordingState
