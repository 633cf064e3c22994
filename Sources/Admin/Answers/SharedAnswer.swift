internal import Synchronization

/// The answer to an expensive question, shared by everybody who asks within a while: five hundred clients cost the
/// workers as much as one.
///
/// Any thread. Whoever comes while the question is under way waits for that answer.
final class SharedAnswer<Value: Sendable>: Sendable {
    private struct State {
        var last: (value: Value, time: ContinuousClock.Instant)?
        var underWay: Task<Value, Never>?
    }

    private enum Step {
        case there(Value)
        case wait(Task<Value, Never>)
    }

    private let state = Mutex(State())
    private let executor: any TaskExecutor
    private let lifetime: @Sendable (Value) -> Duration
    private let ask: @Sendable () async -> Value

    /// A question; an answer serves for its `lifetime`. `executor` carries the asking out.
    init(
        on executor: any TaskExecutor, lifetime: @escaping @Sendable (Value) -> Duration = { _ in .milliseconds(100) },
        ask: @escaping @Sendable () async -> Value
    ) {
        self.executor = executor
        self.lifetime = lifetime
        self.ask = ask
    }

    /// Lets go of an answer that was made so long ago. Returns whether there is none any more, nor one under way.
    func forget(after age: Duration) -> Bool {
        state.withLock { state in
            if let last = state.last, ContinuousClock.now - last.time >= age { state.last = nil }
            return state.last == nil && state.underWay == nil
        }
    }

    /// The answer, no older than its lifetime.
    func value() async -> Value {
        let step = state.withLock { state -> Step in
            if let last = state.last, ContinuousClock.now - last.time < lifetime(last.value) {
                return .there(last.value)
            }
            if let underWay = state.underWay { return .wait(underWay) }
            let task = Task(executorPreference: executor) { [self] in
                let value = await ask()
                self.state.withLock { state in
                    state.last = (value, .now)
                    state.underWay = nil
                }
                return value
            }
            state.underWay = task
            return .wait(task)
        }
        switch step {
        case .there(let value): return value
        case .wait(let task): return await task.value
        }
    }
}
