/// The states of an upgrade: events in, one action out. No effects.
struct UpgradeSequence: Hashable, Sendable {
    /// The state.
    enum State: Hashable, Sendable {
        /// No upgrade.
        case idle
        /// The workers copy their sockets.
        case copying
        /// The other process runs and is not ready.
        case starting
        /// The other process was terminated and has not ended.
        case terminating
        /// The other process has taken over.
        case over
    }

    /// An event.
    enum Event: CaseIterable, Hashable, Sendable {
        /// An upgrade is requested.
        case asked
        /// The sockets are copied.
        case copied
        /// The sockets cannot be copied, or the other process cannot be started.
        case failed
        /// The other process accepts clients.
        case ready
        /// The other process has ended.
        case ended
        /// The time is over.
        case late
        /// This process is stopping.
        case stopping
    }

    /// An action.
    enum Action: Hashable, Sendable {
        /// Nothing.
        case none
        /// Report that an upgrade is under way already.
        case refuse
        /// Request copies of the workers' sockets.
        case copy
        /// Start the other process.
        case start
        /// Stop accepting: the other process accepts.
        case handOver
        /// Report the failure, and continue as before.
        case goOn
        /// Terminate the other process, report why, and continue as before.
        case terminate
        /// Terminate the other process: this one stops, too.
        case stopBoth
        /// Kill the other process.
        case kill
        /// Report that the process which took over has ended.
        case reportEnd
    }

    private(set) var state = State.idle

    /// Whether reloads have to wait: the other process may have read the configuration already.
    var isUnderWay: Bool { state == .copying || state == .starting }

    /// Handles an event.
    mutating func handle(_ event: Event) -> Action {
        switch (state, event) {
        case (.idle, .asked):
            state = .copying
            return .copy
        case (_, .asked):
            return .refuse
        case (.copying, .copied):
            state = .starting
            return .start
        case (.copying, .failed), (.copying, .late), (.starting, .failed), (.starting, .ended):
            state = .idle
            return .goOn
        case (.starting, .ready):
            state = .over
            return .handOver
        case (.starting, .late):
            state = .terminating
            return .terminate
        case (.starting, .stopping):
            state = .terminating
            return .stopBoth
        case (.copying, .stopping):
            state = .idle
            return .none
        case (.terminating, .late):
            return .kill
        case (.terminating, .ended):
            state = .idle
            return .none
        case (.over, .ended):
            return .reportEnd
        case (.idle, _), (.copying, _), (.starting, _), (.terminating, _), (.over, _):
            // A late event of an upgrade that has ended.
            return .none
        }
    }
}
