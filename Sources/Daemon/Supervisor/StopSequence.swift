/// The states of stopping: events in, one action out. No effects.
struct StopSequence: Hashable, Sendable {
    /// The state.
    enum State: Hashable, Sendable {
        /// Relaying.
        case running
        /// Another process accepts; waiting for open connections.
        case replaced
        /// Accepting has ended; waiting for open connections.
        case draining
        /// Resetting the remaining connections.
        case stopping
        /// The workers have ended; the last lines are being written.
        case flushing
        /// Over.
        case ended
    }

    /// An event.
    enum Event: Hashable, Sendable {
        /// A stop is requested: SIGINT, SIGTERM, or the end of the demo.
        case asked
        /// Another process accepts clients from the same sockets.
        case replaced(by: Int32)
        /// Every worker has ended its work.
        case workersStopped
        /// Every line is written.
        case linesWritten
        /// The last lines took too long to write.
        case flushTimedOut
    }

    /// An action.
    enum Action: Hashable, Sendable {
        /// Nothing.
        case none
        /// Stop accepting, let open connections finish within the bound.
        case drain
        /// Stop accepting, since that process accepts; let open connections finish within a longer bound.
        case leave(to: Int32)
        /// Reset all connections.
        case stop
        /// Join the workers' threads, then wait for the last lines.
        case flush
        /// End: everything is written.
        case end
        /// End, and report what was not written.
        case abandon
    }

    private(set) var state = State.running

    /// Handles an event.
    mutating func handle(_ event: Event) -> Action {
        switch (state, event) {
        case (.running, .asked), (.replaced, .asked):
            // A service manager that stops the service sends the signal to both processes.
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
        case (.flushing, .asked), (.flushing, .flushTimedOut):
            // The records are made; only an output that accepts nothing can delay the end.
            state = .ended
            return .abandon
        case (.stopping, .asked), (.ended, _):
            return .none
        case (_, .replaced):
            // A process that is stopping is not replaced.
            return .none
        case (.flushing, .workersStopped):
            // After a failed start, flushing begins at once, and the workers' end follows later.
            return .none
        case (.running, .linesWritten), (.replaced, .linesWritten), (.draining, .linesWritten),
            (.stopping, .linesWritten), (.running, .flushTimedOut), (.replaced, .flushTimedOut),
            (.draining, .flushTimedOut), (.stopping, .flushTimedOut):
            preconditionFailure("StopSequence: \(event) cannot come while \(state): only flushing begins either")
        }
    }
}
