internal import Glibc

/// Watches one descriptor, level-triggered, and calls `ready` on the loop's thread.
///
/// A subclass overrides `ready`: a virtual call is the cheapest way from an event into Swift. The owner of the descriptor
/// owns the watch and closes it before it closes the descriptor. One descriptor has one watch at a time.
open class Poll {
    /// What a watch waits for, and what has happened (epoll_ctl(2)).
    @frozen
    public struct Events: OptionSet, Sendable {
        /// The kernel's bits.
        public let rawValue: UInt32
        /// Wraps the kernel's bits.
        @inlinable
        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }
        /// Bytes, an end of stream or a new connection can be read.
        @inlinable public static var readable: Events { Events(rawValue: 0x001) }
        /// Bytes can be written, or a connect has finished.
        @inlinable public static var writable: Events { Events(rawValue: 0x004) }
        /// Always reported: the socket has an error, which `SO_ERROR` names, and may still hold unread bytes.
        @inlinable public static var error: Events { Events(rawValue: 0x008) }
        /// Always reported, for as long as it lasts: both halves have ended.
        @inlinable public static var hangup: Events { Events(rawValue: 0x010) }
        /// Report a change once, not a state for as long as it lasts.
        static var edge: Events { Events(rawValue: 1 << 31) }
    }

    // MARK: Fixed at init

    private unowned let loop: EventLoop
    let fd: CInt

    // MARK: The loop's thread only

    // In this order they leave no gap: there are two watches in each connection.

    /// Distinguishes this watch from earlier ones of the same descriptor; the epoll set assigns it.
    final var generation: UInt32 = 0
    /// What the watch waits for now; nil when nothing is reported, not even errors.
    public private(set) final var interest: Events?
    private var place = Place.outside

    private enum Place: UInt8 {
        /// The kernel has no entry for it.
        case outside
        /// It is in the epoll set, and may be quiet there.
        case inSet
        case closed
    }

    /// Whether `close` was called.
    public final var isClosed: Bool { place == .closed }

    /// The data of the kernel's entry.
    @inline(__always)
    final var key: UInt64 { UInt64(generation) << 32 | UInt64(UInt32(truncatingIfNeeded: fd)) }

    /// Watches a non-blocking descriptor for the given events, and for errors and hang-ups, which are always reported.
    public init(loop: EventLoop, fd: CInt, for events: Events) throws(UVError) {
        loop.assertOnThread()
        self.loop = loop
        self.fd = fd
        interest = events
        let result = loop.add(self, events)
        guard result == 0 else {
            place = .closed
            throw UVError(code: result)
        }
        place = .inSet
        loop.opened()
    }

    /// A watch that is not in the epoll set before the first call of `watch`, which may then fail.
    public init(loop: EventLoop, fd: CInt) {
        loop.assertOnThread()
        self.loop = loop
        self.fd = fd
        loop.opened()
    }

    deinit {
        precondition(isClosed, "Poll: close() was never called")
    }

    /// Waits for other events: one `epoll_ctl`. The same events again, or a closed watch, cost nothing. If the kernel
    /// refuses, `watchFailed` is called before this returns.
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
        guard !isClosed, place == .inSet || wanted != nil else { return }
        let result = place == .inSet ? loop.modify(self, wanted) : loop.add(self, wanted ?? [])
        if result == 0 {
            place = .inSet
            interest = wanted
        } else if wanted == nil {
            // Removing it needs no memory.
            loop.remove(self, fromKernel: true)
            place = .outside
            interest = nil
        } else {
            watchFailed(UVError(code: result))
        }
    }

    /// The kernel refused the watch when the epoll set was renewed. Nothing is reported until `watch`.
    final func leftSet(_ error: UVError) {
        guard !isClosed else { return }
        place = .outside
        // A quiet watch misses nothing; it is added again when it wakes.
        guard interest != nil else { return }
        interest = nil
        watchFailed(error)
    }

    /// Ends the watch: no callback comes after this returns. A second call does nothing. `andDescriptor` says that the
    /// descriptor is about to be closed, which takes it out of the epoll set without a system call.
    public final func close(andDescriptor: Bool = false) {
        guard !isClosed else { return }
        if place == .inSet { loop.remove(self, fromKernel: !andDescriptor) }
        interest = nil
        place = .closed
        // One of its methods may be running.
        loop.closed(self)
    }

    /// Called on the loop's thread with what is true of the descriptor now.
    open func ready(_ events: Events) {}

    /// Called on the loop's thread when the kernel refused to change what the watch waits for, or to keep it (`ENOSPC`: the
    /// user's limit of watches, `ENOMEM`). `interest` is what is in force. Without an override nothing happens.
    open func watchFailed(_ error: UVError) {}
}
