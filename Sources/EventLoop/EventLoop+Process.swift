internal import CLinux
internal import Glibc
internal import Synchronization

/// Process-wide settings and the exit of a process that runs event loops.
extension EventLoop {
    /// Prepares the process, once, before its first loop: gives libuv a pool of 16 threads, half of which serve name
    /// lookups (the default is four; libuv reads the variable once), and ignores SIGPIPE, SIGXFSZ and SIGUSR2.
    public static func prepareProcess() {
        setenv("UV_THREADPOOL_SIZE", "16", 0)
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        // The signal for an upgrade may be sent to all processes of a service. Until a process watches for it, the
        // signal must not terminate the process.
        signal(SIGUSR2, SIG_IGN)
    }

    /// The number of cores that the process may run on (its affinity mask).
    public static var availableCores: Int {
        max(1, Int(tapline_available_cores()))
    }

    private static let hasLeakedLoops = Atomic<Bool>(false)

    /// Called by a `close` that could not free libuv's memory.
    static func noteLeakedLoop() {
        hasLeakedLoops.store(true, ordering: .relaxed)
    }

    /// Exits the process after flushing the C library's buffers. libuv's exit handler would wait for a name service
    /// that does not answer, so it is skipped if a lookup is still in progress.
    public static func leaveProcess(_ status: CInt) -> Never {
        guard hasLeakedLoops.load(ordering: .relaxed) else { exit(status) }
        fflush(nil)
        _exit(status)
    }
}
