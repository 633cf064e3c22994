internal import Glibc

/// A level-triggered watch of one descriptor, which calls `ready` on the loop's thread.
///
/// A subclass overrides `ready`, because a virtual call is the cheapest callback. The owner of the descriptor owns the
/// watch and closes it before the descriptor. One descriptor has one watch at a time.
open class Poll {
    /// The events that a watch waits for, or that occurred (epoll_ctl(2)).
    @frozen
    public struct Events: OptionSet, Sendable {
        /// The kernel's bits.
        public let rawValue: UInt32
        /// Wraps the kernel's bits.
        @inlinable
        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }
        /// Bytes, the end of the stream or a new connection can be read.
        @inlinable public static var readable: Events { Events(rawValue: 0x001) }
        /// Bytes can be written, or a connect has completed.
        @inlinable public static var writable: Events { Events(rawValue: 0x004) }
        /// Always reported: the socket has an error (`SO_ERROR`), and may still hold unread bytes.
        @inlinable public static var error: Events { Events(rawValue: 0x008) }
        /// Always reported, while it lasts: both halves of the stream have ended.
        @inlinable public static var hangup: Events { Events(rawValue: 0x010) }
        /// Edge-triggered: reports each change once.
        static var edge: Events { Events(rawValue: 1 << 31) }
    }

    // MARK: Fixed at init

    private unowned let loop: EventLoop
    let fd: CInt

    // MARK: The loop's thread only

    // This order leaves no padding: each connection has two watches.

    /// Distinguishes this watch from earlier ones of the same descriptor; the epoll set assigns it.
    final var generation: UInt32 = 0
    /// The events that the watch waits for; nil: nothing is reported, not even errors.
    public private(set) final var interest: Events?
    private var state = State.outside

    private enum State: UInt8 {
        /// The kernel has no entry for it.
        case outside
        /// It is in the epoll set, and may be quiet.
        case inSet
        case closed
    }

    /// Whether `close` was called.
    public final var isClosed: Bool { state == .closed }

    /// The data of the kernel's entry: generation and descriptor.
    @inline(__always)
    final var key: UInt64 { UInt64(generation) << 32 | UInt64(UInt32(truncatingIfNeeded: fd)) }

    /// Watches a non-blocking descriptor for the given events, errors and hang-ups.
    public init(loop: EventLoop, fd: CInt, for events: Events) throws(UVError) {
        loop.assertOnThread()
        self.loop = loop
        self.fd = fd
        interest = events
        let result = loop.add(self, events)
        guard result == 0 else {
            state = .closed
            throw UVError(code: result)
        }
        state = .inSet
        loop.opened()
    }

    /// A watch that enters the epoll set with the first call of `watch`, which may fail.
    public init(loop: EventLoop, fd: CInt) {
        loop.assertOnThread()
        self.loop = loop
        self.fd = fd
        loop.opened()
    }

    deinit {
        precondition(isClosed, "Poll: close() was never called")
    }

    /// Changes the events: one `epoll_ctl`, or none if they are the same or the watch is closed. If the kernel refuses,
    /// `watchFailed` is called before this returns.
    @inlinable @inline(__always)
    public final func watch(_ wanted: Events) {
        if wanted != interest { change(to: wanted) }
    }

    /// Reports nothing until `watch`, not even errors. The descriptor stays in the epoll set.
    public final func rest() {
        guard interest != nil else { return }
        change(to: nil)
    }

    @usableFromInline
    final func change(to wanted: Events?) {
        // A watch that is not in the set is quiet.
        guard !isClosed, state == .inSet || wanted != nil else { return }
        let result = state == .inSet ? loop.modify(self, wanted) : loop.add(self, wanted ?? [])
        if result == 0 {
            state = .inSet
            interest = wanted
        } else if wanted == nil {
            // Removing it needs no memory.
            loop.remove(self, fromKernel: true)
            state = .outside
            interest = nil
        } else {
            watchFailed(UVError(code: result))
        }
    }

    /// Called if the kernel refused the watch when the epoll set was renewed. Nothing is reported until `watch`.
    final func leftSet(_ error: UVError) {
        guard !isClosed else { return }
        state = .outside
        // A quiet watch misses nothing; the next `watch` adds it again.
        guard interest != nil else { return }
        interest = nil
        watchFailed(error)
    }

    /// Ends the watch: no callback runs after this returns. A second call does nothing. `andDescriptor` says that the
    /// descriptor is about to be closed, which removes it from the epoll set without a system call.
    public final func close(andDescriptor: Bool = false) {
        guard !isClosed else { return }
        if state == .inSet { loop.remove(self, fromKernel: !andDescriptor) }
        interest = nil
        state = .closed
        // One of its methods may be running.
        loop.closed(self)
    }

    /// Called on the loop's thread with the current state of the descriptor.
    open func ready(_ events: Events) {}

    /// Called on the loop's thread when the kernel refused a change of the events, or to keep the watch (`ENOSPC`: the
    /// user's limit of watches; `ENOMEM`). `interest` holds the events in force. The default does nothing.
    open func watchFailed(_ error: UVError) {}
}
