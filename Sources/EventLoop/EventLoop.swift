internal import CLibuv
internal import CLinux
internal import Glibc
internal import Synchronization

/// One libuv loop: waits for descriptors, timers, signals and messages, and calls back on the thread that runs it.
///
/// Sockets are watched in an epoll set of the loop's own, in which libuv's descriptor is embedded (`uv_backend_fd`,
/// made for that): one wait serves both. libuv's own watch of a descriptor costs a connection twelve `epoll_ctl` and
/// two `ioctl` calls, where this costs two, and 176 bytes a socket; timers, signals, mailboxes and name lookups are
/// libuv's.
///
/// Everything made on a loop is confined to that loop's thread and is not `Sendable`. Whoever made the loop runs it and
/// then closes it; `LoopThread` does both for a thread of its own.
public final class EventLoop {
    // MARK: Fixed at birth

    /// Pinned memory: libuv keeps pointers into it until `close`.
    let raw: UnsafeMutablePointer<uv_loop_t>

    /// The sockets' watches, and libuv's descriptor.
    private let epoll: EpollSet

    // MARK: This loop's thread only

    private var owner = pthread_self()
    private var isClosed = false
    /// How many watches of descriptors are open.
    private var polls = 0
    /// How many handles libuv has, those included whose close callback is still to come.
    private var handles = 0
    /// How many name lookups are under way, and how many of them nobody waits for any more.
    private var lookups = (underWay: 0, abandoned: 0)
    /// How many rounds there were, in each of which all that was ready has been told of: a turn, or several where more
    /// was ready than one is told of. One goes on.
    public private(set) var rounds: UInt64 = 0
    /// What is let go of when the turn ends: watches that an event of the turn may still name, and see `retire`.
    private var retired: [AnyObject] = []
    /// Who is told when the turn ends, once.
    private var observers: [any TurnObserver] = []

    /// Makes a loop for the calling thread. Throws when the system gives it no descriptor.
    public init() throws(UVError) {
        epoll = try EpollSet()
        raw = .allocate(capacity: 1)
        let result = uv_loop_init(raw)
        guard result == 0 else {
            raw.deallocate()
            isClosed = true
            throw UVError(code: result)
        }
        let added = epoll.change(.add, uv_backend_fd(raw), [.readable], for: nil)
        guard added == 0 else {
            _ = uv_loop_close(raw)
            raw.deallocate()
            isClosed = true
            throw UVError(code: added)
        }
    }

    deinit {
        precondition(isClosed, "EventLoop: close() was never called")
    }

    /// Runs until no handle is open, no descriptor is watched and nobody waits for a name lookup.
    public func run() {
        while turn(wait: true) {}
        // A lookup that no thread has taken up yet is taken back at once, and one that is nearly done may finish.
        let end = uv_hrtime() + Self.patienceWithLookups
        while lookups.abandoned > 0, uv_hrtime() < end { turn(patience: 10) }
    }

    /// How long a loop that is done waits for lookups that nobody waits for. Nanoseconds.
    private static let patienceWithLookups: UInt64 = 100_000_000

    private var isAlive: Bool { polls > 0 || handles > 0 || lookups.underWay > lookups.abandoned }

    /// Handles what is ready, waiting for the first event if `wait` is set. Returns whether anything is left to wait for.
    @discardableResult
    public func turn(wait: Bool) -> Bool {
        // Zero where libuv has work that no descriptor announces: handles to close, watches to set up, timers due.
        let patience = uv_loop_alive(raw) != 0 ? uv_backend_timeout(raw) : (polls > 0 ? -1 : 0)
        return turn(patience: wait ? patience : 0)
    }

    /// Waits for so many milliseconds (-1: without end) and handles what is ready.
    @discardableResult
    private func turn(patience: CInt) -> Bool {
        assertOnThread()
        let (count, isForUV) = epoll.wait(patience)
        // The kernel goes on with those that this turn leaves out.
        if count < EpollSet.mostAtOnce { rounds &+= 1 }
        uv_update_time(raw)
        // Messages first: what was posted before a client connected is in force when that client is accepted.
        if uv_loop_alive(raw) != 0, isForUV || uv_backend_timeout(raw) == 0 { uv_run(raw, UV_RUN_NOWAIT) }
        epoll.tell(count)
        if !observers.isEmpty { tellObservers() }
        if !retired.isEmpty { retired.removeAll(keepingCapacity: true) }
        return isAlive
    }

    // MARK: What keeps the loop running

    func opened(_ handle: Handle) {
        handles += 1
    }

    func closed(_ handle: Handle) {
        handles -= 1
    }

    func started(_ lookup: NameLookup) {
        lookups.underWay += 1
    }

    func abandoned(_ lookup: NameLookup) {
        lookups.abandoned += 1
    }

    func finished(_ lookup: NameLookup, wasAbandoned: Bool) {
        lookups.underWay -= 1
        if wasAbandoned { lookups.abandoned -= 1 }
    }

    func opened() {
        polls += 1
    }

    func closed(_ poll: Poll) {
        polls -= 1
        retired.append(poll)
    }

    /// Keeps an object until the turn has ended: for what ends in a callback while its own methods are still running.
    public func retire(_ object: AnyObject) {
        retired.append(object)
    }

    /// Tells an object when this turn has ended, once, and keeps it until then: for what is put off so as to be done once
    /// for many events. Several are told in no order.
    public func tellOfEnd(_ observer: any TurnObserver) {
        observers.append(observer)
    }

    private func tellObservers() {
        // Whoever asks again meanwhile is told again.
        while let observer = observers.popLast() { observer.turnEnded() }
    }

    @inline(__always)
    func change(_ change: EpollSet.Change, _ fd: CInt, _ events: Poll.Events, for poll: Poll?) -> CInt {
        epoll.change(change, fd, events, for: poll)
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
        return names + Array(repeating: "socket", count: polls)
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
    ///
    /// A name lookup that nobody waits for may still be with the name service, for as long as that takes. Then libuv's
    /// memory is left to the end of the process, see `leaveProcess`.
    public func close() {
        assertOnThread()
        isClosed = true
        guard lookups.abandoned == 0 else {
            Self.loopsLeftBehind.store(true, ordering: .relaxed)
            return
        }
        let result = uv_loop_close(raw)
        precondition(result == 0, "EventLoop: closed with handles left: \(openHandles)")
        raw.deallocate()
    }

    private static let loopsLeftBehind = Atomic<Bool>(false)

    /// Ends the process, with what the C library has buffered written. libuv would wait at exit for a name service that
    /// does not answer; this does not.
    public static func leaveProcess(_ status: CInt) -> Never {
        guard loopsLeftBehind.load(ordering: .relaxed) else { exit(status) }
        fflush(nil)
        _exit(status)
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
    /// or past a file-size limit would raise, and the one that asks for an upgrade.
    public static func prepareProcess() {
        setenv("UV_THREADPOOL_SIZE", "16", 0)
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        // Until somebody listens to it: whoever asks all processes of a service for an upgrade, or one that is starting,
        // must not end any.
        signal(SIGUSR2, SIG_IGN)
    }
}

/// Who wants to know when a turn of a loop has ended; see `EventLoop.tellOfEnd`. On the loop's thread. A
/// protocol, for the loop knows nothing of what is above it, and a closure would not keep its object until then.
public protocol TurnObserver: AnyObject {
    /// All that was ready in this turn has been handled.
    func turnEnded()
}

extension EventLoop {
    /// How many cores the process may run on (its affinity mask).
    public static var availableCores: Int {
        max(1, Int(tapline_available_cores()))
    }
}
