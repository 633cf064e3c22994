import Synchronization

/// A value that is set once. Any thread; waits have a deadline.
final class Promise<Value: Sendable>: Sendable {
    private struct State {
        var result: Result<Value, any Error>?
        var waiters: [Int: CheckedContinuation<Value, any Error>] = [:]
        var nextWaiter = 0
    }

    private let state = Mutex(State())

    /// Sets the value; only the first call counts.
    func settle(_ result: Result<Value, any Error>) {
        let waiters = state.withLock { state in
            guard state.result == nil else { return [CheckedContinuation<Value, any Error>]() }
            state.result = result
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume(with: result) }
    }

    /// The value if it is set.
    var settled: Result<Value, any Error>? { state.withLock(\.result) }

    /// Waits for the value. After the deadline, the error names what was expected.
    func value(within limit: Duration, _ failure: @escaping @Sendable () -> Failure) async throws -> Value {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        let timer = Task {
            try await Task.sleep(for: limit)
            state.withLock { $0.waiters.removeValue(forKey: number) }?.resume(throwing: failure())
        }
        defer { timer.cancel() }
        return try await withCheckedThrowingContinuation { continuation in
            let result = state.withLock { state in
                if state.result == nil { state.waiters[number] = continuation }
                return state.result
            }
            if let result { continuation.resume(with: result) }
        }
    }
}

/// A failure of the test's own machinery, or a deadline that has passed.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
