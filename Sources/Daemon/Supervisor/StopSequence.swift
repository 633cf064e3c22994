/// How Tapline comes to its end, as a machine without effects: events in, one action out.
struct StopSequence: Hashable, Sendable {
    /// Where it stands.
    enum State: Hashable, Sendable {
        /// Relaying.
        case running
        /// Accepting no more, for another process does; waiting for what is open.
        case replaced
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
    enum Event: Hashable, Sendable {
        /// Somebody wants it to end: SIGINT, SIGTERM, or a demo that is done.
        case asked
        /// Another process accepts clients from the same sockets.
        case replaced(by: Int32)
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
        /// Stop accepting, which that process does; let open connections finish within a longer bound.
        case leave(to: Int32)
        /// Reset everything now.
        case stop
        /// Wait for the workers' threads, then for the last lines.
        case flush
        /// End, all being written.
        case end
        /// End, and say what was not written.
        case abandon
    }

    private(set) var state = State.running

    /// Takes an event.
    mutating func handle(_ event: Event) -> Action {
        switch (state, event) {
        case (.running, .asked), (.replaced, .asked):
            // A service manager that stops the service tells both processes of it at once.
            state = .draining
            return .drain
        case (.running, .replaced(let process)):
            state = .replaced
            return .leave(to: process)
        case (.draining, .asked):
            state = .stopping
            return .stop
        case (.running, .workersStopped), (.replaced, .workersStopped), (.draining, .workersStopped),
            (.stopping, .workersStopped):
            state = .flushing
            return .flush
        case (.flushing, .linesWritten):
            state = .ended
            return .end
        case (.flushing, .asked), (.flushing, .patienceLost):
            // The records are made; only an output that takes nothing can keep Tapline here.
            state = .ended
            return .abandon
        case (.stopping, .asked), (.ended, _):
            return .none
        case (_, .replaced):
            // Nobody is let in place of one that ends.
            return .none
        case (.flushing, .workersStopped):
            // A start that failed half-way flushes at once, and hears of its workers' end only then.
            return .none
        case (.running, .linesWritten), (.replaced, .linesWritten), (.draining, .linesWritten),
            (.stopping, .linesWritten), (.running, .patienceLost), (.replaced, .patienceLost),
            (.draining, .patienceLost), (.stopping, .patienceLost):
            preconditionFailure("StopSequence: \(event) cannot come while \(state): only flushing begins either")
        }
    }
}
