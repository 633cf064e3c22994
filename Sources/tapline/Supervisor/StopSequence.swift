/// How Tapline comes to its end, as a machine without effects: events in, one action out.
struct StopSequence: Hashable, Sendable {
    /// Where it stands.
    enum State: Hashable, Sendable {
        /// Relaying.
        case running
        /// Accepting no more, waiting for what is open.
        case draining
        /// Resetting what is left.
        case stopping
        /// The workers are gone; the last lines are being written.
        case flushing
        /// Over.
        case ended
    }

    /// What happens.
    enum Event: CaseIterable, Hashable, Sendable {
        /// Somebody wants it to end: SIGINT, SIGTERM, or a demo that is done.
        case asked
        /// Every worker has ended its work.
        case workersStopped
        /// Every line is written.
        case linesWritten
        /// The last lines took too long.
        case patienceLost
    }

    /// What to do about it.
    enum Action: Hashable, Sendable {
        /// Nothing.
        case none
        /// Stop accepting, let open connections finish within the bound.
        case drain
        /// Reset everything now.
        case stop
        /// Wait for the workers' threads, then for the last lines.
        case flush
        /// Leave, all being written.
        case leave
        /// Leave, and say what was not written.
        case abandon
    }

    private(set) var state = State.running

    /// Takes an event.
    mutating func handle(_ event: Event) -> Action {
        switch (state, event) {
        case (.running, .asked):
            state = .draining
            return .drain
        case (.draining, .asked):
            state = .stopping
            return .stop
        case (.running, .workersStopped), (.draining, .workersStopped), (.stopping, .workersStopped):
            state = .flushing
            return .flush
        case (.flushing, .linesWritten):
            state = .ended
            return .leave
        case (.flushing, .asked), (.flushing, .patienceLost):
            // The records are made; only an output that takes nothing can keep Tapline here.
            state = .ended
            return .abandon
        case (.stopping, .asked), (.ended, _):
            return .none
        case (.flushing, .workersStopped):
            // A start that failed half-way flushes at once, and hears of its workers' end only then.
            return .none
        case (.running, .linesWritten), (.draining, .linesWritten), (.stopping, .linesWritten),
            (.running, .patienceLost), (.draining, .patienceLost), (.stopping, .patienceLost):
            preconditionFailure("StopSequence: \(event) cannot come while \(state): only flushing begins either")
        }
    }
}
