public import Relay

/// The name under which other modules still use `ProcessStatus`.
public typealias Standing = ProcessStatus

extension AdminServices {
    /// Services without `reload`, with the former label of `status`.
    public init(
        relays: RelayService, standing: ProcessStatus, journal: Journal, drain: @escaping @Sendable () -> Void,
        shutdown: @escaping @Sendable () async -> Bool
    ) {
        self.init(relays: relays, status: standing, journal: journal, drain: drain, shutdown: shutdown)
    }
}
