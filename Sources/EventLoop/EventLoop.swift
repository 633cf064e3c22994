internal import CLibuv
internal import CLinux
internal import Glibc

/// One libuv loop: waits for descriptors, timers, signals and messages, and calls back on the thread that runs it.
///
/// Everything made on a loop is confined to that loop's thread and is not `Sendable`. Whoever made the loop runs it and
/// then closes it; `LoopThread` does both for a thread of its own.
public final class EventLoop {
    // MARK: Fixed at birth

    /// Pinned memory: libuv keeps pointers into it until `close`.
    let raw: UnsafeMutablePointer<uv_loop_t>

    // MARK: This loop's thread only

    private var owner = pthread_self()
    private var isClosed = false

    /// Makes a loop for the calling thread. Throws when the system gives it no descriptor.
    public init() throws(UVError) {
        raw = .allocate(capacity: 1)
        let result = uv_loop_init(raw)
        guard result == 0 else {
            raw.deallocate()
            isClosed = true
            throw UVError(code: result)
        }
    }

    deinit {
        precondition(isClosed, "EventLoop: close() was never called")
    }

    /// Runs until no handle is open and no request is under way.
    public func run() {
        assertOnThread()
        _ = uv_run(raw, UV_RUN_DEFAULT)
    }

    /// Handles what is ready, waiting for the first event if `wait` is set. Returns whether anything is left to wait for.
    @discardableResult
    public func turn(wait: Bool) -> Bool {
        assertOnThread()
        return uv_run(raw, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0
    }

    /// The loop's clock at the start of this turn, in milliseconds of the monotonic clock.
    public var now: UInt64 { uv_now(raw) }

    /// The monotonic clock at this moment, in nanoseconds (`clock_gettime(CLOCK_MONOTONIC)`).
    public static var nanoseconds: UInt64 { uv_hrtime() }

    /// Names the kinds of the handles that are not closed yet; for tests and for the message of a failed `close`.
    public var openHandles: [String] {
        var names: [String] = []
        withUnsafeMutablePointer(to: &names) { pointer in
            uv_walk(
                raw,
                { handle, names in
                    guard let handle, uv_is_closing(handle) == 0 else { return }
                    let name = uv_handle_type_name(handle.pointee.type).map { String(cString: $0) } ?? "?"
                    names?.assumingMemoryBound(to: [String].self).pointee.append(name)
                }, pointer)
        }
        return names
    }

    /// Closes every handle that is still open and turns the loop until their memory is given back. For failed starts.
    public func closeHandles() {
        uv_walk(
            raw,
            { handle, _ in
                guard let handle, let data = handle.pointee.data else { return }
                Unmanaged<Handle>.fromOpaque(data)._withUnsafeGuaranteedRef { $0.close() }
            }, nil)
        run()
    }

    /// Gives the loop back. Every handle must be closed and its close callback run: a handle left over is a defect and
    /// traps with the kinds of what is left.
    public func close() {
        assertOnThread()
        let result = uv_loop_close(raw)
        precondition(result == 0, "EventLoop: closed with handles left: \(openHandles)")
        isClosed = true
        raw.deallocate()
    }

    /// Traps in debug builds when called from another thread than the loop's.
    @inline(__always)
    func assertOnThread() {
        assert(pthread_equal(owner, pthread_self()) != 0, "EventLoop: used from another thread than its own")
    }

    /// Which libuv is linked, for example `1.44.2`.
    public static var version: String { String(cString: uv_version_string()) }

    /// What a process does once before its first loop: gives name lookups enough threads (libuv lets them use half of
    /// its pool, four by default, and reads the variable once), and ignores the signals that writing to a closed peer
    /// or past a file-size limit would raise.
    public static func prepareProcess() {
        setenv("UV_THREADPOOL_SIZE", "16", 0)
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
    }
}

extension EventLoop {
    /// How many cores the process may run on (its affinity mask).
    public static var availableCores: Int {
        max(1, Int(tapline_available_cores()))
    }
}
