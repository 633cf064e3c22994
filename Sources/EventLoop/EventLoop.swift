internal import CLibuv
internal import CLinux
internal import Glibc
internal import Sockets
internal import Synchronization

/// One libuv loop: waits for descriptors, timers, signals and messages, and calls back on the thread that runs it.
///
/// Sockets are watched in an epoll set of the loop's own, in which libuv's descriptor is embedded (`uv_backend_fd`,
/// made for that): one wait serves both. libuv's own watch of a descriptor costs a connection twelve `epoll_ctl` and
/// two `ioctl` calls, where this costs two, and 176 bytes a socket; timers, signals, mailboxes and name lookups are
/// libuv's.
///
/// Everything made on a loop is confined to that loop's thread and is not `Sendable`. The owner of the loop runs it and
/// then closes it; `LoopThread` does both for a thread of its own.
public final class EventLoop {
    // MARK: Fixed at birth

    /// Pinned memory: libuv keeps pointers into it until `close`.
    let raw: UnsafeMutablePointer<uv_loop_t>

    /// The watches of sockets, and libuv's descriptor.
    private let epoll: EpollSet

    // MARK: This loop's thread only

    private var owner = pthread_self()
    private var isClosed = false
    /// How many watches of descriptors are open.
    private var polls = 0
    /// How many handles libuv has, those included whose close callback is still to come.
    private var handles = 0
    /// Name lookups in progress, and how many of them were cancelled.
    private var lookups = (underWay: 0, abandoned: 0)
    /// The number of rounds. In a round everything that was ready has been reported: one turn, or several where one wait
    /// did not return all events.
    public private(set) var rounds: UInt64 = 0
    /// Kept until the turn ends: closed watches, one of whose methods may be running, and see `retire`.
    private var retired: [AnyObject] = []
    /// Called once when the turn ends.
    private var observers: [any TurnObserver] = []
    /// Since when events of closed descriptors have come in every turn; by `now`.
    private var staleSince: UInt64?
    /// The number of times that the epoll set was renewed, for tests.
    private(set) var renewals: UInt64 = 0
    /// Whether the last turn may have taken so long that timers would be late by libuv's clock.
    private var isClockOld = true
    /// See `advance(by:)`.
    private var advance: UInt64 = 0

    /// Makes a loop for the calling thread. Throws when the system gives it no descriptor.
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

    /// libuv adds the descriptor that wakes a loop in the loop's first turn, and ends the process when the kernel refuses
    /// (`ENOSPC`, `ENOMEM`). Added here, the refusal is an error; libuv takes `EEXIST` for a descriptor of its own.
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

    /// Runs until no handle is open, no descriptor is watched and no name lookup is awaited.
    public func run() {
        while turn(wait: true) {}
        // A lookup that no thread has taken up yet is taken back at once, and one that is nearly done may finish.
        let end = uv_hrtime() + Self.patienceWithLookups
        while lookups.abandoned > 0, uv_hrtime() < end { turn(patience: 10) }
    }

    /// How long a loop that is done waits for cancelled lookups. Nanoseconds.
    private static let patienceWithLookups: UInt64 = 100_000_000

    private var isAlive: Bool { polls > 0 || handles > 0 || lookups.underWay > lookups.abandoned }

    /// Handles what is ready, waiting for the first event if `wait` is set. Returns whether anything is left to wait for.
    @discardableResult
    public func turn(wait: Bool) -> Bool {
        turn(patience: wait ? patience : 0)
    }

    /// How long the loop may wait for events, milliseconds; -1 is without limit. Zero where libuv has work that no
    /// descriptor announces: handles to close, watches to set up, timers due.
    var patience: CInt {
        guard uv_loop_alive(raw) != 0 else { return polls > 0 ? -1 : 0 }
        let patience = uv_backend_timeout(raw)
        guard patience > 0, isClockOld else { return patience }
        // libuv counts from its clock of the last turn, whose callbacks have taken time since.
        uv_update_time(raw)
        return uv_backend_timeout(raw)
    }

    /// Waits up to a number of milliseconds (-1: without limit) and handles what is ready.
    @discardableResult
    private func turn(patience: CInt) -> Bool {
        assertOnThread()
        let (count, isForUV) = epoll.wait(patience)
        // The kernel goes on with those that this turn leaves out.
        if count < EpollSet.maxEvents { rounds &+= 1 }
        uv_update_time(raw)
        // Messages first: what was posted before a client connected is in force when that client is accepted.
        let runsUV = uv_loop_alive(raw) != 0 && (isForUV || uv_backend_timeout(raw) == 0)
        if runsUV { uv_run(raw, UV_RUN_NOWAIT) }
        isClockOld = runsUV || count > Self.fewEvents
        epoll.notify(count)
        switch epoll.staleness {
        case .none: staleSince = nil
        case .certain: checkStaleEntries()
        // While connections close in every turn, it stays as it was.
        case .unknown: break
        }
        if !observers.isEmpty { notifyObservers() }
        if !retired.isEmpty { retired.removeAll(keepingCapacity: true) }
        return isAlive
    }

    /// Up to this many sockets are served in less time than a timer's resolution: after such a turn libuv's clock need not
    /// be read again before the next wait.
    private static let fewEvents = 8

    /// A descriptor was closed while another process held a copy of it, and is still ready. That ends within a
    /// millisecond when it is a program being started; otherwise the loop would spin, so the epoll set is renewed.
    private func checkStaleEntries() {
        guard let since = staleSince else {
            staleSince = now
            return
        }
        guard now &- since >= Self.stalePatience else { return }
        // Without a descriptor for a new set it is tried again after as long.
        staleSince = now
        guard let refused = try? epoll.renew() else { return }
        renewals &+= 1
        for (poll, error) in refused { poll.leftSet(error) }
    }

    /// How long events of closed descriptors are tolerated, milliseconds: far longer than an exec takes, far shorter
    /// than a person notices.
    private static let stalePatience: UInt64 = 100

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

    private func notifyObservers() {
        // An observer that registers again meanwhile is called again.
        while let observer = observers.popLast() { observer.turnEnded() }
    }

    func add(_ poll: Poll, _ events: Poll.Events) -> CInt { epoll.add(poll, events) }

    @inline(__always)
    func modify(_ poll: Poll, _ events: Poll.Events?) -> CInt { epoll.modify(poll, events) }

    func remove(_ poll: Poll, fromKernel: Bool) { epoll.remove(poll, fromKernel: fromKernel) }

    /// Makes epoll_ctl(2) refuse new watches, and with `changes` changed ones too, with an error number (nil: no longer);
    /// for tests.
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

    /// The loop's clock at the start of this turn, in milliseconds of the monotonic clock.
    public var now: UInt64 { uv_now(raw) &+ advance }

    /// Moves `now` ahead of the monotonic clock, milliseconds, so that a test need not wait for a deadline. Timers do not
    /// follow.
    package func advance(by milliseconds: UInt64) { advance &+= milliseconds }

    /// The monotonic clock at this moment, in nanoseconds (`clock_gettime(CLOCK_MONOTONIC)`).
    public static var nanoseconds: UInt64 { uv_hrtime() }

    /// Nanoseconds from a moment of `nanoseconds` until now.
    public static func nanoseconds(since start: UInt64) -> UInt64 {
        Monotonic.elapsed(from: start, to: nanoseconds)
    }

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

    /// Gives the loop back. Every handle must be closed and its close callback run: a handle left over is a defect, which
    /// traps in debug builds with the kinds of what is left; otherwise the memory is left to the end of the process.
    ///
    /// A cancelled name lookup may still be with the name service, for as long as that takes. Then libuv's
    /// memory is left to the end of the process, see `leaveProcess`.
    public func close() {
        assertOnThread()
        isClosed = true
        guard lookups.abandoned == 0 else {
            Self.loopsLeftBehind.store(true, ordering: .relaxed)
            return
        }
        guard uv_loop_close(raw) == 0 else {
            assertionFailure("EventLoop: closed with handles left: \(openHandles)")
            Self.loopsLeftBehind.store(true, ordering: .relaxed)
            return
        }
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
        // Until a watch exists: a request for an upgrade that is sent to all processes of a service, or to one that is
        // starting, must not end any of them.
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
