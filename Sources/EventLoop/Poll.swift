internal import CLibuv

/// Watches one descriptor, level-triggered, and calls `ready` on the loop's thread.
///
/// A subclass overrides `ready`: a virtual call is the cheapest way from a C callback into Swift. The descriptor stays
/// its owner's, who closes this watch before the descriptor; one descriptor has one watch at a time.
///
/// Every change of the interest costs two `epoll_ctl` calls, so change it only when something really blocks or ends.
open class Poll: Handle {
    /// What a watch asks for, and what it is told.
    @frozen
    public struct Events: OptionSet, Sendable {
        /// libuv's bits.
        public let rawValue: Int32
        /// Wraps libuv's bits.
        @inlinable
        public init(rawValue: Int32) {
            self.rawValue = rawValue
        }
        /// Bytes, an end of stream or a new connection can be read.
        public static let readable = Events(rawValue: 1)
        /// Bytes can be written, or a connect has finished.
        public static let writable = Events(rawValue: 2)
        /// Urgent data. Tapline asks for it alone, where it wants to hear of nothing but an error: a watch for nothing
        /// takes the descriptor out of epoll, and a reset would go unseen.
        public static let urgent = Events(rawValue: 8)
        /// Told only: the socket has an error, which `SO_ERROR` names, and may still hold unread bytes. libuv has
        /// stopped the watch.
        public static let error = Events(rawValue: 1 << 16)
    }

    /// What is asked for now.
    public private(set) final var interest: Events = []

    /// Watches a non-blocking descriptor, for nothing yet.
    public init(loop: EventLoop, fd: CInt) throws(UVError) {
        loop.assertOnThread()
        try super.init(UV_POLL) { uv_poll_init(loop.raw, $0.assumingMemoryBound(to: uv_poll_t.self), fd) }
    }

    /// Asks for other events; the same ones again, or a closed watch, cost nothing.
    public final func watch(_ wanted: Events) {
        guard wanted != interest, !isClosed else { return }
        interest = wanted
        let poll = memory.assumingMemoryBound(to: uv_poll_t.self)
        if wanted.isEmpty {
            uv_poll_stop(poll)
            return
        }
        let result = uv_poll_start(poll, wanted.rawValue) { poll, status, events in
            guard let data = poll?.pointee.data else { return }
            Unmanaged<Poll>.fromOpaque(data)._withUnsafeGuaranteedRef { $0.fired(status, events) }
        }
        precondition(result == 0, "Poll: uv_poll_start: \(UVError(code: result))")
    }

    private final func fired(_ status: CInt, _ events: CInt) {
        guard status >= 0 else {
            interest = []
            ready(.error)
            return
        }
        ready(Events(rawValue: events))
    }

    /// Called on the loop's thread with what is true of the descriptor now.
    open func ready(_ events: Events) {}
}
