/// How another process comes to take this one's place, as a machine without effects: events in, one action out.
struct UpgradeSequence: Hashable, Sendable {
    /// Where it stands.
    enum State: Hashable, Sendable {
        /// Nobody asked.
        case idle
        /// The workers are asked for copies of their sockets.
        case copying
        /// The other process runs, and has not said that it is ready.
        case starting
        /// The other process is told to end, and has not.
        case dismissed
        /// The other process has taken over.
        case over
    }

    /// What happens.
    enum Event: CaseIterable, Hashable, Sendable {
        /// Somebody asks for an upgrade.
        case asked
        /// The copies are there.
        case copied
        /// The copies cannot be had, or the other process cannot be started.
        case failed
        /// The other process serves clients.
        case ready
        /// The other process has ended.
        case ended
        /// It takes too long.
        case late
        /// This process is about to stop.
        case stopping
    }

    /// What to do about it.
    enum Action: Hashable, Sendable {
        /// Nothing.
        case none
        /// Say that there is an upgrade already.
        case refuse
        /// Ask the workers for copies of their sockets.
        case copy
        /// Start the other process.
        case start
        /// Accept no more: the other process does.
        case handOver
        /// Say that it failed, and go on as before.
        case goOn
        /// Tell the other process to end, say why, and go on as before.
        case dismiss
        /// Tell the other process to end: nobody is to serve any more.
        case stopBoth
        /// End the other process at once.
        case kill
        /// Say that the process which took over has ended.
        case mourn
    }

    private(set) var state = State.idle

    /// Whether the configuration has to stay as it is: the other process may have read it already.
    var isUnderWay: Bool { state == .copying || state == .starting }

    /// Takes an event.
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
            state = .dismissed
            return .dismiss
        case (.starting, .stopping):
            state = .dismissed
            return .stopBoth
        case (.copying, .stopping):
            state = .idle
            return .none
        case (.dismissed, .late):
            return .kill
        case (.dismissed, .ended):
            state = .idle
            return .none
        case (.over, .ended):
            return .mourn
        case (.idle, _), (.copying, _), (.starting, _), (.dismissed, _), (.over, _):
            // What comes late of something that was given up.
            return .none
        }
    }
}
