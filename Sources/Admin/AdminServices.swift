public import Relay

/// What the admin API shows and controls, provided by its owner. Any thread.
///
/// Without `reload` there is no configuration file, and its endpoint answers 409.
public struct AdminServices: Sendable {
    /// The workers.
    public var relays: RelayService
    /// The state of the process.
    public var status: ProcessStatus
    /// Recent end records and events.
    public var journal: Journal
    /// The older processes whose connections have not all ended.
    public var predecessors = Predecessors()
    /// The runs of the upstream's command; nil without one.
    public var command: CommandHistory?
    /// Whether ends are written as end records, unless `log.access` is `off`.
    public var writesEndRecords = true
    /// Reads the configuration file again. Returns when it is applied or rejected.
    public var reload: (@Sendable () async -> ReloadReport)?
    /// Starts a drain, after which the process ends, as SIGTERM does. A second call has no effect.
    public var drain: @Sendable () -> Void
    /// Does what SIGTERM does: drains at the first call, and ends the process at the second. Returns whether it ends now.
    public var shutdown: @Sendable () async -> Bool

    /// Services without `reload`.
    public init(
        relays: RelayService, status: ProcessStatus, journal: Journal, drain: @escaping @Sendable () -> Void,
        shutdown: @escaping @Sendable () async -> Bool
    ) {
        self.relays = relays
        self.status = status
        self.journal = journal
        self.drain = drain
        self.shutdown = shutdown
    }
}

/// The state of a relay's recording.
typealias RecordingState = RelayService.RecordingState
