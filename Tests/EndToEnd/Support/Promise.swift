import Synchronization

/// A value that comes once. Any thread; whoever waits does so with a deadline.
final class Promise<Value: Sendable>: Sendable {
    private struct State {
        var result: Result<Value, any Error>?
        var waiters: [Int: CheckedContinuation<Value, any Error>] = [:]
        var nextWaiter = 0
    }

    private let state = Mutex(State())

    /// Settles it; only the first time counts.
    func settle(_ result: Result<Value, any Error>) {
        let waiters = state.withLock { state in
            guard state.result == nil else { return [CheckedContinuation<Value, any Error>]() }
            state.result = result
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume(with: result) }
    }

    /// The value if it is there.
    var settled: Result<Value, any Error>? { state.withLock(\.result) }

    /// Waits for it. When it is late, the error says what was waited for.
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

/// What went wrong in a test's own machinery, or came too late.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
