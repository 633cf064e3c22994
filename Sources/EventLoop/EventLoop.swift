internal import CLibuv
internal import CLinux
internal import Glibc
internal import Sockets

/// An event loop on libuv: waits for descriptors, timers, signals and messages, and calls back on its thread.
///
/// Sockets are watched in an epoll set of the loop's own. It contains libuv's descriptor (`uv_backend_fd`), so one wait
/// serves both. libuv's own watches would cost a connection twelve `epoll_ctl` and two `ioctl` calls, where this set
/// costs two `epoll_ctl`, and 176 bytes per socket. Timers, signals, mailboxes and name lookups are libuv's.
///
/// Everything created on a loop is confined to that loop's thread and is not `Sendable`. The owner of the loop runs it
/// and then closes it; `LoopThread` does both on a new thread.
public final class EventLoop {
    // MARK: Fixed at init

    /// Pinned memory: libuv keeps pointers into it until `close`.
    let raw: UnsafeMutablePointer<uv_loop_t>

    /// Socket watches and libuv's descriptor.
    private let epoll: EpollSet

    // MARK: This loop's thread only

    private var owner = pthread_self()
    private var isClosed = false
    /// Open watches.
    private var polls = 0
    /// libuv handles, including those whose close callback is pending.
    private var handles = 0
    /// Name lookups in progress, and the cancelled ones among them.
    private var lookups = (underWay: 0, abandoned: 0)
    /// Completed rounds. A round reports every ready event once: one turn, or several if a wait returns only some.
    public private(set) var rounds: UInt64 = 0
    /// Turns: waits for events, also those that report only some of the ready ones. With more descriptors that stay ready
    /// than one wait reports, a round does not end.
    public private(set) var turns: UInt64 = 0
    /// Objects kept until the turn ends: closed watches, whose methods may be running, and those of `retire`.
    private var retired: [AnyObject] = []
    /// Notified once at the end of the turn.
    private var observers: [any TurnObserver] = []
    /// When an uninterrupted series of turns with events of closed descriptors began; by `now`.
    private var staleSince: UInt64?
    /// How often the epoll set was renewed; for tests.
    private(set) var renewals: UInt64 = 0
    /// Whether libuv's clock may be so far behind that timers would be late.
    private var isClockOld = true
    /// See `advance(by:)`.
    private var advance: UInt64 = 0

    /// Creates a loop for the calling thread. Throws if the system has no descriptor for it.
    public init() throws(UVError) {
        raw = .allocate(capacity: 1)
        let result = uv_loop_init(raw)
        guard result == 0 else {
            raw.deallocate()
            throw UVError(code: result)
        }
        do {
            try Self.addWakeDescriptor(of: raw)
            epoll = try EpollSet(uvDescriptor: uv_backend_fd(raw))
        } catch {
            _ = uv_loop_close(raw)
            raw.deallocate()
            throw error
        }
    }

    /// libuv adds its wake-up descriptor in the first turn, and aborts the process if the kernel refuses (`ENOSPC`,
    /// `ENOMEM`). Adding it here turns the refusal into an error; libuv ignores `EEXIST` for its own descriptor.
    private static func addWakeDescriptor(of raw: UnsafeMutablePointer<uv_loop_t>) throws(UVError) {
        let (backend, wake) = descriptors(of: raw)
        var entry = epoll_event()
        entry.events = Poll.Events.readable.rawValue
        entry.data.fd = wake
        guard epoll_ctl(backend, EPOLL_CTL_ADD, wake, &entry) == 0 else { throw UVError(code: -errno) }
    }

    /// libuv's epoll descriptor, and the eventfd that wakes the loop.
    static func descriptors(of raw: UnsafeMutablePointer<uv_loop_t>) -> (backend: CInt, wake: CInt) {
        (uv_backend_fd(raw), raw.pointee.async_io_watcher.fd)
    }

    deinit {
        precondition(isClosed, "EventLoop: close() was never called")
    }

    /// Runs until no handle or watch is open and no name lookup is in progress.
    public func run() {
        while turn(wait: true) {}
        // Cancelled lookups that have not started end at once; those nearly done get a chance to finish.
        let end = uv_hrtime() + Self.patienceWithLookups
        while lookups.abandoned > 0, uv_hrtime() < end { turn(patience: 10) }
    }

    /// How long a finished loop waits for cancelled lookups, nanoseconds.
    private static let patienceWithLookups: UInt64 = 100_000_000

    private var isAlive: Bool { polls > 0 || handles > 0 || lookups.underWay > lookups.abandoned }

    /// Handles ready events; `wait` blocks until the first one. Returns whether anything is left to wait for.
    @discardableResult
    public func turn(wait: Bool) -> Bool {
        turn(patience: wait ? patience : 0)
    }

    /// How long the loop may wait for events, milliseconds; -1: without limit. Zero if libuv has work that no
    /// descriptor signals: handles to close, watches to set up, timers due.
    var patience: CInt {
        guard uv_loop_alive(raw) != 0 else { return polls > 0 ? -1 : 0 }
        let patience = uv_backend_timeout(raw)
        guard patience > 0, isClockOld else { return patience }
        // libuv counts from its clock of the last turn, whose callbacks took time.
        uv_update_time(raw)
        return uv_backend_timeout(raw)
    }

    /// Waits up to a number of milliseconds (-1: without limit) and handles ready events.
    @discardableResult
    private func turn(patience: CInt) -> Bool {
        assertOnThread()
        let (count, isForUV) = epoll.wait(patience)
        turns &+= 1
        // A full buffer may have left events out; the kernel returns those first next time.
        if count < EpollSet.maxEvents { rounds &+= 1 }
        uv_update_time(raw)
        // Messages first: a message posted before a client connected takes effect before that client is accepted.
        let runsUV = uv_loop_alive(raw) != 0 && (isForUV || uv_backend_timeout(raw) == 0)
        if runsUV { uv_run(raw, UV_RUN_NOWAIT) }
        isClockOld = runsUV || count > Self.fewEvents
        epoll.notify(count)
        switch epoll.staleness {
        case .none: staleSince = nil
        case .certain: checkStaleEntries()
        // Connections may close in every turn, so this does not reset `staleSince`.
        case .unknown: break
        }
        if !observers.isEmpty { notifyObservers() }
        if !retired.isEmpty { retired.removeAll(keepingCapacity: true) }
        return isAlive
    }

    /// Serving up to this many sockets takes less time than a timer's resolution, so libuv's clock need not be read
    /// again before the next wait.
    private static let fewEvents = 8

    /// A closed descriptor is still ready, because another process holds a copy. If that process is about to exec, this
    /// ends within a millisecond; otherwise the loop would spin, so the epoll set is renewed.
    private func checkStaleEntries() {
        guard let since = staleSince else {
            staleSince = now
            return
        }
        guard now &- since >= Self.stalePatience else { return }
        // If there is no descriptor for a new set, this is tried again after the same time.
        staleSince = now
        guard let refused = try? epoll.renew() else { return }
        renewals &+= 1
        for (poll, error) in refused { poll.leftSet(error) }
    }

    /// How long events of closed descriptors are tolerated, milliseconds: far longer than an exec takes, and too short
    /// for a person to notice.
    private static let stalePatience: UInt64 = 100

    // MARK: Open handles, watches and lookups

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

    /// Keeps an object until the turn ends, because a method of it may still be running.
    public func retire(_ object: AnyObject) {
        retired.append(object)
    }

    /// Notifies an object once when this turn ends, and keeps it until then; for work that is batched over a turn's
    /// events. The order of several observers is unspecified.
    public func notifyAtTurnEnd(_ observer: any TurnObserver) {
        observers.append(observer)
    }

    private func notifyObservers() {
        // An observer that registers again in its callback is called again.
        while let observer = observers.popLast() { observer.turnEnded() }
    }

    func add(_ poll: Poll, _ events: Poll.Events) -> CInt { epoll.add(poll, events) }

    @inline(__always)
    func modify(_ poll: Poll, _ events: Poll.Events?) -> CInt { epoll.modify(poll, events) }

    func remove(_ poll: Poll, fromKernel: Bool) { epoll.remove(poll, fromKernel: fromKernel) }

    /// Makes epoll_ctl(2) fail for new watches, and with `changes` for changed ones too (nil: no longer); for tests.
    package func refuseWatches(with error: CInt?, changes: Bool = false) {
        let own = uv_backend_fd(raw)
        epoll.control = { set, operation, descriptor, entry in
            if let error, descriptor != own, operation == EPOLL_CTL_ADD || changes && operation == EPOLL_CTL_MOD {
                errno = error
                return -1
            }
            return epoll_ctl(set, operation, descriptor, entry)
        }
    }

    /// The monotonic clock at the start of this turn, milliseconds.
    public var now: UInt64 { uv_now(raw) &+ advance }

    /// Moves `now` ahead of the monotonic clock by a number of milliseconds, so that a test need not wait for a
    /// deadline. Timers are not affected.
    package func advance(by milliseconds: UInt64) { advance &+= milliseconds }

    /// The monotonic clock, nanoseconds (`clock_gettime(CLOCK_MONOTONIC)`).
    public static var nanoseconds: UInt64 { uv_hrtime() }

    /// Nanoseconds since an earlier reading of `nanoseconds`.
    public static func nanoseconds(since start: UInt64) -> UInt64 {
        Monotonic.elapsed(from: start, to: nanoseconds)
    }

    /// The kinds of the open handles; for tests and for the message of a failed `close`.
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

    /// Closes every open handle and runs the loop until their memory is freed; for failed starts.
    public func closeHandles() {
        uv_walk(
            raw,
            { handle, _ in
                guard let handle, let data = handle.pointee.data else { return }
                Unmanaged<Handle>.fromOpaque(data)._withUnsafeGuaranteedRef { $0.close() }
            }, nil)
        run()
    }

    /// Frees the loop. Every handle must be closed and its close callback must have run: an open handle is a defect,
    /// which traps in debug builds with the kinds of the open handles; in release builds the memory is leaked.
    ///
    /// A cancelled name lookup may still wait for the name service. Then the memory is leaked too; see `leaveProcess`.
    public func close() {
        assertOnThread()
        isClosed = true
        guard lookups.abandoned == 0 else {
            Self.noteLeakedLoop()
            return
        }
        guard uv_loop_close(raw) == 0 else {
            assertionFailure("EventLoop: closed with handles left: \(openHandles)")
            Self.noteLeakedLoop()
            return
        }
        raw.deallocate()
    }

    /// The version of the linked libuv, for example `1.44.2`.
    public static var version: String { String(cString: uv_version_string()) }

    /// Traps in debug builds when called from another thread than the loop's.
    @inline(__always)
    func assertOnThread() {
        assert(pthread_equal(owner, pthread_self()) != 0, "EventLoop: used from another thread than its own")
    }
}
