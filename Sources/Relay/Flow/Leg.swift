internal import EventLoop
internal import Sockets
internal import TLS

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
    private var source: SourceState = []
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

    /// Where the stream's next bytes are. The stages' context holds a prelude and a session, and this is one byte, so that a
    /// leg without stages is no larger.
    private struct SourceState: OptionSet {
        let rawValue: UInt8

        /// There is a prelude or a session.
        static let indirect = SourceState(rawValue: 1)
        static let buffered = SourceState(rawValue: 2)
        static let bufferedOnly = SourceState(rawValue: 4)

        mutating func set(_ member: SourceState, _ isMember: Bool) {
            if isMember { insert(member) } else { remove(member) }
        }
    }

    /// The stream's bytes are not the socket's next ones.
    @inline(__always)
    private var isIndirect: Bool {
        get { source.contains(.indirect) }
        set { source.set(.indirect, newValue) }
    }

    /// `receive` has bytes that epoll does not report: a prelude, or what a session has decrypted or still holds.
    @inline(__always)
    private(set) var hasBuffered: Bool {
        get { source.contains(.buffered) }
        set { source.set(.buffered, newValue) }
    }

    /// A session reads only what it has buffered, so that reading it ends.
    var readsBufferedOnly: Bool {
        get { source.contains(.bufferedOnly) }
        set { source.set(.bufferedOnly, newValue) }
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
        if isIndirect { return receiveIndirectly(into: buffer, limit: limit) }
        return counted(socket.receive(into: buffer, limit: limit))
    }

    @inline(__always)
    private func counted(_ transfer: Transfer) -> Transfer {
        #if DEBUG
            if case .moved(let count) = transfer { received &+= UInt64(count) }
        #endif
        return transfer
    }

    private func receiveIndirectly(into buffer: ByteBuffer, limit: Int) -> Transfer {
        if var prelude {
            let count = prelude.read(into: buffer, limit: limit)
            set(prelude)
            return .moved(count)
        }
        guard let session else { return counted(socket.receive(into: buffer, limit: limit)) }
        let transfer = session.read(into: buffer, limit: limit, fromSocket: !readsBufferedOnly)
        hasBuffered = session.hasMore
        return counted(transfer)
    }

    private var prelude: Prelude? {
        connection?._withUnsafeGuaranteedRef { $0.stages?.context.prelude(of: side) }
    }

    private func set(_ prelude: Prelude?) {
        let left = (prelude?.count ?? 0) > 0 ? prelude : nil
        connection?._withUnsafeGuaranteedRef { $0.stages?.context.set(left, of: side) }
        hasBuffered = left != nil || session?.hasMore ?? false
        isIndirect = left != nil || session != nil
    }

    /// Copies the bytes that `receive` would return into a buffer, and leaves them to be read (`MSG_PEEK`).
    func peek(into buffer: ByteBuffer, limit: Int) -> Transfer {
        if isIndirect, let prelude { return .moved(prelude.peek(into: buffer, limit: limit)) }
        guard let session else { return socket.peek(into: buffer, limit: limit) }
        let transfer = session.peek(into: buffer, limit: limit)
        hasBuffered = session.hasMore
        return transfer
    }

    /// `receive` returns these bytes, at least one, before any other. For stages.
    func returnToFront(_ bytes: [UInt8]) {
        set(Prelude(bytes, before: prelude))
    }

    /// The prelude's bytes, which `receive` returns before any other. A session's are not counted before it returns them.
    var bufferedBytes: Int { hasBuffered ? prelude?.count ?? 0 : 0 }

    /// Discards the prelude. Returns the number of its bytes.
    func discardBuffered() -> Int {
        guard hasBuffered else { return 0 }
        let count = bufferedBytes
        if count > 0 { set(nil) }
        return count
    }

    // MARK: Writing

    /// Writes `count` bytes of a buffer from `offset` on, as many as there is room for.
    @inline(__always)
    func send(_ buffer: ByteBuffer, from offset: Int, count: Int) -> Transfer {
        if isIndirect, let session { return session.write(buffer, from: offset, count: count) }
        return socket.send(buffer, from: offset, count: count)
    }

    /// Writes bytes, at least one, as many as there is room for.
    func send(_ bytes: ArraySlice<UInt8>) -> Transfer {
        session?.write(bytes) ?? socket.send(bytes)
    }

    /// Bytes that the peer's kernel has not acknowledged (TCP), or that the peer has not read (Unix).
    var unsentBytes: Int { socket.unsentBytes }

    /// Whether the peer's kernel has acknowledged every byte of the stream that was written, so that only TLS's own bytes,
    /// and the FIN if there was one, can have been unread; but for the last two segments, because a receiver may wait with
    /// its acknowledgement that long (RFC 1122, section 4.2.3.2), and does not send it when it resets. False for a plain
    /// leg, and for a Unix socket, which does not know.
    func hasDeliveredData(andFIN hasEnded: Bool) -> Bool {
        guard let session, let info else { return false }
        let own = session.sentAfterData &+ (hasEnded ? 1 : 0)
        return UInt64(clamping: socket.unsentBytes) <= own &+ 2 * UInt64(clamping: min(info.segmentSize, 1 << 16))
    }

    /// Whether the socket, or what was read from it, has bytes that no flow has read.
    var hasUnread: Bool { hasBuffered || socket.unreadBytes > 0 }

    /// Sends a session's close_notify, after the bytes written before. False: there is no room; call again when the leg is
    /// writable. A plain leg has none.
    func endSession() -> Bool { session?.endWriting() ?? true }

    /// Ends this direction (FIN), after the bytes written before and `endSession`.
    func endWriting() {
        socket.endWriting()
    }

    // MARK: TLS

    /// The TLS session; nil on a plain leg, and after a handshake that has failed. Everything that `receive` and `send` move
    /// then passes through it.
    private(set) var session: TLSSession? {
        get { isIndirect ? connection?._withUnsafeGuaranteedRef { $0.stages?.context.session(with: side) } : nil }
        set { connection?._withUnsafeGuaranteedRef { $0.stages?.context.set(newValue, with: side) } }
    }

    /// Begins a session with the bytes of the prelude, if there is one. Nil without memory.
    func beginSession(_ make: (_ fd: CInt, _ received: [UInt8]) -> TLSSession?) -> TLSSession? {
        let received = prelude?.all ?? []
        if !received.isEmpty { set(nil) }
        let session = make(socket.fd, received)
        self.session = session
        isIndirect = session != nil
        if let session { connection?._withUnsafeGuaranteedRef { $0.observe(session, on: self) } }
        return session
    }

    /// The handshake is complete: the session may hold the first bytes already.
    func sessionBegan() {
        hasBuffered = session?.hasMore ?? false
        connection?._withUnsafeGuaranteedRef { $0.sessionBegan(with: side) }
    }

    /// The handshake is in progress.
    var isShakingHands: Bool { session.map { !$0.isEstablished } ?? false }

    /// Reading waits for room to write: the peer asks for new keys, and reads nothing.
    var readsWhenWritable: Bool { isIndirect && session?.readWaitsForRoom ?? false }

    /// Whether the stream passes through a session.
    var hasSession: Bool { session != nil }

    /// The session's peer has ended its stream, and has proved it with close_notify.
    var hasEndedInOrder: Bool { session?.end == .inOrder }

    /// The session's peer has ended its stream with a FIN alone.
    var wasTruncated: Bool { session?.end == .truncated }

    /// The reason of the session's failure, which is noted for the record; nil if it has not failed.
    func sessionFailure(_ context: StageContext?) -> EndReason? {
        guard let failure = session?.failure else { return nil }
        context?.note(failure, on: side, of: session)
        return EndReason(session: failure)
    }

    /// Returns to the socket's own bytes, because the handshake has failed.
    func dropSession() {
        session = nil
        set(prelude)
    }

    // MARK: Splicing

    /// The socket's bytes are the stream's bytes: they may move between it and a pipe.
    @inline(__always)
    var canSplice: Bool { !isIndirect }

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

    /// Stops watching and closes the socket; with a reset, unsent bytes are discarded. A session that ends in order says so,
    /// if there is room.
    func end(reset: Bool) {
        _ = discardBuffered()
        if isIndirect, let session {
            if !reset { _ = session.endWriting() }
            self.session = nil
            isIndirect = false
        }
        close(andDescriptor: true)
        if reset && !isUnix { socket.resetOnClose() }
        socket.close()
    }
}
