internal import EventLoop
internal import Sockets

/// One of a connection's two sockets, watched by its worker's loop.
///
/// Owned by its connection, on the worker's thread. All reading, writing and ending of the socket goes through the leg.
/// It is in the epoll set from the first `wait` on; the connection and its flows decide what it waits for.
final class Leg: Poll {
    // MARK: Fixed at init

    let side: Side
    let isUnix: Bool
    /// Set once. The connection owns its legs and ends them before it is released, so a call need not retain it.
    private var connection: Unmanaged<Connection>?

    // MARK: The loop's thread only

    private var socket: Socket
    /// `receive` has bytes that epoll does not report: a prelude. The stages' context holds it, so that a leg without stages
    /// is no larger.
    private(set) var hasBuffered = false
    /// The socket has failed. It is not watched, because EPOLLERR is level-triggered.
    var hasFailed = false
    /// EPOLLHUP while reads are paused. It is level-triggered, so the watch rests and the sweep polls the socket.
    var hasHungUp = false
    /// EPOLLERR events with SO_ERROR 0, up to `mostUnknownErrors`.
    private var unknownErrors: UInt8 = 0
    /// After this many EPOLLERR events with SO_ERROR 0 the watch rests: the state would be reported without end.
    private static let mostUnknownErrors: UInt8 = 4
    /// The `delivered` of the flow to this leg when its send queue was last seen empty.
    var deliveredWhenSent: UInt64 = 0
    /// Since when the send queue has held bytes without an acknowledgement: the loop's clock; 0 if it holds none.
    var unacknowledgedSince: UInt64 = 0
    #if DEBUG
        /// Bytes read from the socket, so that a test can account for each of them.
        private(set) var received: UInt64 = 0
    #endif

    /// Takes over a socket. Nothing is watched before `wait`.
    init(loop: EventLoop, socket: consuming Socket, side: Side, isUnix: Bool) {
        self.side = side
        self.isUnix = isUnix
        self.socket = socket
        super.init(loop: loop, fd: self.socket.fd)
    }

    /// The connection that events go to: set before the first `wait`.
    func belongs(to connection: Connection) {
        self.connection = .passUnretained(connection)
    }

    override func ready(_ events: Events) {
        connection?._withUnsafeGuaranteedRef { $0.legReady(self, events) }
    }

    override func watchFailed(_ error: UVError) {
        connection?._withUnsafeGuaranteedRef { $0.watchFailed(self, error) }
    }

    // MARK: Waiting

    /// Waits for events, or only for errors.
    @inline(__always)
    func wait(for wanted: Events) {
        guard !hasFailed else { return }
        if wanted.isEmpty && hasHungUp { return rest() }
        watch(wanted)
    }

    /// EPOLLERR with SO_ERROR 0: a write has taken the error already, or there was none. After a few of them the watch rests
    /// and the sweep polls the socket.
    func countUnknownError() {
        if unknownErrors < Self.mostUnknownErrors { unknownErrors += 1 }
        guard unknownErrors == Self.mostUnknownErrors else { return }
        hasHungUp = true
        rest()
    }

    // MARK: Reading

    /// Reads into a buffer, from its start, at most `limit` bytes.
    @inline(__always)
    func receive(into buffer: ByteBuffer, limit: Int) -> Transfer {
        if hasBuffered { return receivePrelude(into: buffer, limit: limit) }
        return counted(socket.receive(into: buffer, limit: limit))
    }

    @inline(__always)
    private func counted(_ transfer: Transfer) -> Transfer {
        #if DEBUG
            if case .moved(let count) = transfer { received &+= UInt64(count) }
        #endif
        return transfer
    }

    private func receivePrelude(into buffer: ByteBuffer, limit: Int) -> Transfer {
        var prelude = prelude
        let count = prelude?.read(into: buffer, limit: limit) ?? 0
        set(prelude)
        return .moved(count)
    }

    private var prelude: Prelude? {
        connection?._withUnsafeGuaranteedRef { $0.stages?.context.prelude(of: side) }
    }

    private func set(_ prelude: Prelude?) {
        hasBuffered = (prelude?.count ?? 0) > 0
        let left = hasBuffered ? prelude : nil
        connection?._withUnsafeGuaranteedRef { $0.stages?.context.set(left, of: side) }
    }

    /// Copies the bytes that `receive` would return into a buffer, and leaves them to be read (`MSG_PEEK`).
    func peek(into buffer: ByteBuffer, limit: Int) -> Transfer {
        if hasBuffered, let prelude { return .moved(prelude.peek(into: buffer, limit: limit)) }
        return socket.peek(into: buffer, limit: limit)
    }

    /// `receive` returns these bytes, at least one, before any other. For stages.
    func returnToFront(_ bytes: [UInt8]) {
        set(Prelude(bytes, before: prelude))
    }

    /// How many bytes `receive` returns before it reads the socket.
    var bufferedBytes: Int { hasBuffered ? prelude?.count ?? 0 : 0 }

    /// Discards these bytes. Returns their number.
    func discardBuffered() -> Int {
        guard hasBuffered else { return 0 }
        let count = bufferedBytes
        set(nil)
        return count
    }

    // MARK: Writing

    /// Writes `count` bytes of a buffer from `offset` on, as many as there is room for.
    @inline(__always)
    func send(_ buffer: ByteBuffer, from offset: Int, count: Int) -> Transfer {
        socket.send(buffer, from: offset, count: count)
    }

    /// Writes bytes, at least one, as many as there is room for.
    func send(_ bytes: ArraySlice<UInt8>) -> Transfer {
        socket.send(bytes)
    }

    /// Bytes that the peer's kernel has not acknowledged (TCP), or that the peer has not read (Unix).
    var unsentBytes: Int { socket.unsentBytes }

    /// Ends this direction (FIN), after the bytes written before.
    func endWriting() {
        socket.endWriting()
    }

    // MARK: Splicing

    /// The socket's bytes are the stream's bytes: they may move between it and a pipe.
    @inline(__always)
    var canSplice: Bool { !hasBuffered }

    /// Moves bytes from the socket into a pipe. Only if `canSplice`.
    @inline(__always)
    func splice(into pipe: Pipe, limit: Int) -> Transfer {
        counted(socket.splice(into: pipe, limit: limit))
    }

    /// Moves bytes from a pipe into the socket. Only if `canSplice`.
    @inline(__always)
    func splice(from pipe: Pipe, limit: Int) -> Transfer {
        socket.splice(from: pipe, limit: limit)
    }

    // MARK: The socket's state

    /// The socket's pending error, which this call clears; nil if there is none.
    func takeError() -> Errno? { socket.takeError() }

    /// Whether the socket has failed or both halves have ended: one poll(2).
    var hasFailedOrEnded: Bool { socket.hasFailedOrEnded }

    /// `TCP_INFO`; nil for a Unix socket.
    var info: Socket.Info? { isUnix ? nil : socket.info }

    /// The kernel's view of the socket, in four system calls; nil for a Unix socket.
    var kernelState: LiveConnection.KernelStats? {
        guard let info else { return nil }
        return LiveConnection.KernelStats(
            info: info, sendQueue: socket.unsentBytes, receiveQueue: socket.unreadBytes,
            congestionControl: socket.congestionControl)
    }

    /// The address of this end; nil if the system has none.
    var localAddress: SocketAddress? { socket.localAddress }

    /// The address that the peer reached: its listener's, unless that is a wildcard.
    func localAddress(at listener: SocketAddress) -> SocketAddress {
        listener.isWildcard ? socket.localAddress ?? listener : listener
    }

    /// The client's destination before the system's rules redirected it (`SO_ORIGINAL_DST`).
    func originalDestination() throws(Errno) -> SocketAddress {
        try socket.originalDestination()
    }

    /// Turns keepalive on; not for a Unix socket.
    func setKeepalive() throws(Errno) {
        if !isUnix { try socket.set(.standard) }
    }

    // MARK: Ending

    /// Stops watching and closes the socket; with a reset, unsent bytes are discarded.
    func end(reset: Bool) {
        _ = discardBuffered()
        close(andDescriptor: true)
        if reset && !isUnix { socket.resetOnClose() }
        socket.close()
    }
}
