internal import Glibc

/// A value behind a lock, with a wait for a condition on it.
///
/// `@unchecked Sendable`: `state` is accessed only while `mutex` is locked.
public final class Monitor<State: Sendable>: @unchecked Sendable {
    private var state: State
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    /// A monitor with an initial value.
    public init(_ state: State) {
        self.state = state
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(changed, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    /// Reads or changes the value, and wakes waiting threads.
    public func withLock<Result>(_ body: (inout State) throws -> Result) rethrows -> Result {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(changed)
            pthread_mutex_unlock(mutex)
        }
        return try body(&state)
    }

    /// Waits until `body` returns a value. Nil when the deadline has passed.
    public func waitIfInTime<Result>(within: Duration, _ body: (inout State) -> Result?) -> Result? {
        var until = Deadline(in: within).timespec
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&state) { return result }
            if pthread_cond_timedwait(changed, mutex, &until) == ETIMEDOUT { return body(&state) }
        }
    }

    /// Waits until `body` returns a value; a failure names what was expected and the value that was there.
    public func wait<Result>(
        for what: String, within: Duration = Deadline.usual, _ body: (inout State) -> Result?
    ) throws -> Result {
        if let result = waitIfInTime(within: within, body) { return result }
        throw TestFailure("deadline passed: \(what); there was \(withLock { "\($0)" })")
    }
}
