internal import CLinux
internal import Glibc

/// A thread that runs one closure, so that both ends of a connection can block at once in a test.
public final class Background<Value: Sendable>: Sendable {
    private struct State: Sendable {
        var thread: pthread_t?
        var outcome: Result<Value, any Error>?
    }

    private let state = Monitor(State())
    private let name: String

    /// Starts the thread.
    public init(_ name: String, _ body: @escaping @Sendable () throws -> Value) throws {
        self.name = name
        let state = state
        let thread = try ThreadStart {
            let outcome = Result { try body() }
            state.withLock { $0.outcome = outcome }
        }.launch()
        state.withLock { $0.thread = thread }
    }

    /// Whether the closure has returned or thrown.
    public var isDone: Bool { state.withLock { $0.outcome != nil } }

    /// Waits for the closure, and returns its result or throws its error.
    @discardableResult
    public func value(within: Duration = Deadline.usual) throws -> Value {
        guard let outcome = state.waitIfInTime(within: within, { $0.outcome }) else {
            throw TestFailure("deadline passed: the thread \(name) has not finished")
        }
        if let thread = state.withLock({ $0.thread.take() }) { pthread_join(thread, nil) }
        return try outcome.get()
    }

    deinit {
        if let thread = state.withLock({ $0.thread.take() }) { pthread_detach(thread) }
    }
}

/// The argument of a new thread.
private final class ThreadStart {
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }

    func launch() throws -> pthread_t {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(self)
        let result = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                _ = tapline_set_thread_name("peer")
                Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, argument.toOpaque())
        guard result == 0 else {
            argument.release()
            throw TestFailure("cannot start a thread: errno \(result)")
        }
        return thread
    }
}
