internal import Glibc

/// Watches one descriptor, level-triggered, and calls `ready` on the loop's thread.
///
/// A subclass overrides `ready`: a virtual call is the cheapest way from an event into Swift. The descriptor stays its
/// owner's, and so does the watch: it is closed before its owner lets it go and before the descriptor. One descriptor
/// has one watch at a time.
open class Poll {
    /// What a watch asks for, and what it is told (epoll_ctl(2)).
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
        /// Told, asked for or not: the socket has an error, which `SO_ERROR` names, and may still hold unread bytes.
        @inlinable public static var error: Events { Events(rawValue: 0x008) }
        /// Told, asked for or not, and for as long as it lasts: both halves have ended.
        @inlinable public static var hangup: Events { Events(rawValue: 0x010) }
    }

    // MARK: Fixed at birth

    private unowned let loop: EventLoop
    private let fd: CInt

    // MARK: The loop's thread only

    /// What is asked for now; nil when not even errors are told.
    public private(set) final var interest: Events?
    /// Whether `close` was called.
    public private(set) final var isClosed = false

    /// Watches a non-blocking descriptor for the given events, and for errors and hang-ups, which are always told.
    public init(loop: EventLoop, fd: CInt, for events: Events) throws(UVError) {
        loop.assertOnThread()
        self.loop = loop
        self.fd = fd
        interest = events
        let result = loop.change(.add, fd, events, for: self)
        guard result == 0 else {
            isClosed = true
            throw UVError(code: result)
        }
        loop.opened()
    }

    deinit {
        precondition(isClosed, "Poll: close() was never called")
    }

    /// Asks for other events: one `epoll_ctl`. The same ones again, or a closed watch, cost nothing.
    @inline(__always)
    public final func watch(_ wanted: Events) {
        if wanted != interest { change(to: wanted) }
    }

    /// Takes the descriptor out of the set: nothing is told until `watch`, not even errors.
    public final func rest() {
        guard !isClosed, interest != nil else { return }
        change(to: nil)
    }

    private func change(to wanted: Events?) {
        guard !isClosed else { return }
        let change: EpollSet.Change = wanted == nil ? .remove : interest == nil ? .add : .modify
        let result = loop.change(change, fd, wanted ?? [], for: self)
        precondition(result == 0, "Poll: epoll_ctl: \(UVError(code: result))")
        interest = wanted
    }

    /// Ends the watch: no callback comes after this returns. A second call does nothing. `andDescriptor` says that the
    /// descriptor is about to be closed and no copy of it is open, which takes it out of the set without a call.
    public final func close(andDescriptor: Bool = false) {
        guard !isClosed else { return }
        if !andDescriptor { rest() }
        interest = nil
        isClosed = true
        // Events of this turn may still name this object.
        loop.closed(self)
    }

    /// Called on the loop's thread with what is true of the descriptor now.
    open func ready(_ events: Events) {}
}
