/// The states of the upstream's command (`--exec`): events in, one action out. No effects.
///
/// At most one command runs. A command that ends while clients wait for the upstream has failed, whatever its status:
/// it is started again for them, at most three times in a row and at most once a second.
struct CommandSequence: Hashable, Sendable {
    /// The state.
    enum State: Hashable, Sendable {
        /// It does not run; the next client that finds no upstream starts it.
        case stopped
        /// It runs: the command itself, or what it put into the background before it exited with status 0.
        case running
        /// It has failed, and processes that it left behind were sent SIGTERM: they could keep its port.
        case clearing
        /// It has ended by itself, and is not started again before the pause is over. `isWanted`: a client waits for it.
        case pausing(isWanted: Bool)
        /// It was sent SIGTERM, because no connection has been open for long. `isWanted`: a client has come since.
        case stopping(isWanted: Bool)
        /// It was sent SIGTERM, because this process ends.
        case ending
        /// Over.
        case ended
    }

    /// An event.
    enum Event: Hashable, Sendable {
        /// A client found that the upstream is not up, and is held.
        case clientHeld
        /// A connection to the upstream has been established and has ended.
        case served
        /// The command has failed, and processes that it started are left.
        case leaderFailed
        /// The command and every process of its group have ended, or it could not be started. `isWanted`: clients are
        /// held.
        case exited(Exit, isWanted: Bool)
        /// The pause after its end is over.
        case pauseOver(isWanted: Bool)
        /// No connection has been open for long.
        case idleTooLong
        /// It has not ended in the time that SIGTERM gives it.
        case graceOver
        /// This process ends. A second time: at once.
        case end
    }

    /// When the command ended by itself. The status does not matter: the upstream is not up either way.
    enum Exit: Hashable, Sendable {
        /// Soon after its start.
        case early
        /// After it had run for a while, so the upstream was up.
        case late
    }

    /// An action.
    enum Action: Hashable, Sendable {
        /// Nothing.
        case none
        /// Start the command.
        case start
        /// Report `pauseOver` after this many milliseconds.
        case pause(UInt64)
        /// End the connections whose clients are held, and report `pauseOver` after this many milliseconds.
        case refuse(thenPause: UInt64)
        /// Send SIGTERM to its process group.
        case terminate
        /// Send SIGKILL to its process group.
        case kill
        /// It has ended for good.
        case done
    }

    /// How often a command that ends too early is started for the same clients.
    static let mostStarts = 3
    /// The pause after the first end, milliseconds; each further one is twice as long.
    static let firstPause: UInt64 = 1000

    private(set) var state = State.stopped
    /// Starts in a row after which the upstream did not come up, and the one that runs.
    private var starts = 0

    /// Whether the command, or what is left of it, was sent SIGTERM.
    var isToEnd: Bool {
        switch state {
        case .clearing, .stopping, .ending: true
        case .stopped, .running, .pausing, .ended: false
        }
    }

    /// Handles an event.
    mutating func handle(_ event: Event) -> Action {
        switch (state, event) {
        case (.stopped, .clientHeld):
            return start()
        case (.pausing, .clientHeld):
            state = .pausing(isWanted: true)
            return .none
        case (.stopping, .clientHeld):
            state = .stopping(isWanted: true)
            return .none

        case (.running, .served), (.pausing, .served):
            starts = min(starts, 1)
            return .none
        case (.running, .leaderFailed):
            state = .clearing
            return .terminate
        case (.running, .exited(let exit, let isWanted)), (.clearing, .exited(let exit, let isWanted)):
            return ended(exit, isWanted)
        case (.stopping(let hasCome), .exited(_, let isWanted)):
            starts = 0
            if hasCome && isWanted { return start() }
            state = .stopped
            return .none
        case (.ending, .exited):
            state = .ended
            return .done

        case (.pausing(let hasCome), .pauseOver(let isWanted)):
            if hasCome && isWanted { return start() }
            starts = 0
            state = .stopped
            return .none

        case (.running, .idleTooLong):
            state = .stopping(isWanted: false)
            return .terminate
        case (.clearing, .graceOver), (.stopping, .graceOver), (.ending, .graceOver), (.ending, .end):
            return .kill

        case (.running, .end), (.clearing, .end), (.stopping, .end):
            state = .ending
            return .terminate
        case (.stopped, .end), (.pausing, .end):
            state = .ended
            return .done

        case (.running, .clientHeld), (.clearing, .clientHeld), (.ending, .clientHeld), (.ended, _),
            (.stopped, .served), (.clearing, .served), (.stopping, .served), (.ending, .served),
            (.stopped, .leaderFailed), (.clearing, .leaderFailed), (.pausing, .leaderFailed),
            (.stopping, .leaderFailed), (.ending, .leaderFailed),
            (.stopped, .exited), (.pausing, .exited),
            (.stopped, .pauseOver), (.running, .pauseOver), (.clearing, .pauseOver), (.stopping, .pauseOver),
            (.ending, .pauseOver),
            (.stopped, .idleTooLong), (.clearing, .idleTooLong), (.pausing, .idleTooLong), (.stopping, .idleTooLong),
            (.ending, .idleTooLong),
            (.stopped, .graceOver), (.running, .graceOver), (.pausing, .graceOver):
            return .none
        }
    }

    private mutating func start() -> Action {
        state = .running
        starts += 1
        return .start
    }

    private mutating func ended(_ exit: Exit, _ isWanted: Bool) -> Action {
        if exit == .late { starts = 1 }
        if isWanted && starts >= Self.mostStarts {
            starts = 0
            state = .pausing(isWanted: false)
            return .refuse(thenPause: Self.firstPause)
        }
        state = .pausing(isWanted: isWanted)
        return .pause(Self.firstPause << UInt64(max(0, min(starts, Self.mostStarts) - 1)))
    }
}
