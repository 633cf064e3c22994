internal import Synchronization

/// The result of an expensive query, shared by all requests within a short time: five hundred clients cost the workers as
/// much as one.
///
/// Any thread. Requests during a query wait for its result.
final class SharedAnswer<Value: Sendable>: Sendable {
    private struct State {
        var last: (value: Value, time: ContinuousClock.Instant)?
        var inProgress: Task<Value, Never>?
        /// How often something has changed.
        var changes: UInt64 = 0
    }

    private enum Step {
        case ready(Value)
        case wait(Task<Value, Never>)
    }

    private let state = Mutex(State())
    private let executor: any TaskExecutor
    private let lifetime: @Sendable (Value) -> Duration
    private let ask: @Sendable () async -> Value

    /// A query whose result is valid for `lifetime`. It runs on `executor`.
    init(
        on executor: any TaskExecutor, lifetime: @escaping @Sendable (Value) -> Duration = { _ in .milliseconds(100) },
        ask: @escaping @Sendable () async -> Value
    ) {
        self.executor = executor
        self.lifetime = lifetime
        self.ask = ask
    }

    /// Drops a result of at least this age. Returns whether there is no result, and no query in progress.
    func forget(after age: Duration) -> Bool {
        state.withLock { state in
            if let last = state.last, ContinuousClock.now - last.time >= age { state.last = nil }
            return state.last == nil && state.inProgress == nil
        }
    }

    /// Something has changed: later requests get a new result, and not that of a query which is in progress.
    func changed() {
        state.withLock { state in
            state.last = nil
            state.inProgress = nil
            state.changes &+= 1
        }
    }

    /// The result, no older than its lifetime.
    func value() async -> Value {
        let step = state.withLock { state -> Step in
            if let last = state.last, ContinuousClock.now - last.time < lifetime(last.value) {
                return .ready(last.value)
            }
            if let inProgress = state.inProgress { return .wait(inProgress) }
            let changes = state.changes
            let task = Task(executorPreference: executor) { [self] in
                let value = await ask()
                self.state.withLock { state in
                    guard state.changes == changes else { return }
                    state.last = (value, .now)
                    state.inProgress = nil
                }
                return value
            }
            state.inProgress = task
            return .wait(task)
        }
        switch step {
        case .ready(let value): return value
        case .wait(let task): return await task.value
        }
    }
}
