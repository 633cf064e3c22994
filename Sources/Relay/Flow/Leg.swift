internal import EventLoop
internal import Recording
internal import Sockets

/// One of a connection's two sockets, watched by its worker's loop.
///
/// Owned by its connection, on the worker's thread. It knows which side it is, and nothing of what the other side does:
/// the connection decides, by its two flows, what a leg waits for.
final class Leg: Poll {
    // MARK: Fixed at birth

    let side: Side
    let isUnix: Bool
    /// The connection owns its legs and closes them before it goes, at the end of the turn in which it ends: so it need
    /// not be counted for a call.
    private let connection: Unmanaged<Connection>

    // MARK: The loop's thread only

    var socket: Socket
    /// The socket has failed. It is not watched, because EPOLLERR is level-triggered.
    var hasFailed = false
    /// EPOLLHUP while reads are paused. It is level-triggered, so the watch rests and the sweep polls the socket.
    var hasHungUp = false
    /// EPOLLERR events with SO_ERROR 0, up to `mostUnknownErrors`.
    private var unknownErrors: UInt8 = 0
    /// After this many EPOLLERR events with SO_ERROR 0 the watch rests: the state would be reported without end.
    private static let mostUnknownErrors: UInt8 = 4
    /// What the flow towards this leg had delivered when its send queue was last seen empty.
    var deliveredWhenSent: UInt64 = 0
    /// Since when the send queue has held bytes without an acknowledgement: the loop's clock; 0 while nothing waits.
    var unacknowledgedSince: UInt64 = 0

    init(
        connection: Connection, loop: EventLoop, socket: consuming Socket, side: Side, isUnix: Bool, reading: Bool
    ) throws(UVError) {
        self.connection = .passUnretained(connection)
        self.side = side
        self.isUnix = isUnix
        self.socket = socket
        // If the watch is refused, dropping the socket is what ends it.
        self.socket.isResetWhenDropped = !isUnix
        try super.init(loop: loop, fd: self.socket.fd, for: reading ? .readable : [])
    }

    override func ready(_ events: Events) {
        connection._withUnsafeGuaranteedRef { $0.legReady(self, events) }
    }

    override func watchFailed(_ error: UVError) {
        connection._withUnsafeGuaranteedRef { $0.watchFailed(self, error) }
    }

    /// EPOLLERR was reported, but the socket has no error: a write has met it already, or there was none. After a few of
    /// them the watch rests and the sweep polls the socket.
    func countUnknownError() {
        if unknownErrors < Self.mostUnknownErrors { unknownErrors += 1 }
        guard unknownErrors == Self.mostUnknownErrors else { return }
        hasHungUp = true
        rest()
    }

    /// Waits for what the flows want: to read, to write, or only for errors.
    @inline(__always)
    func await(reading: Bool, writing: Bool) {
        guard !hasFailed else { return }
        var wanted: Events = []
        if reading { wanted.insert(.readable) }
        if writing { wanted.insert(.writable) }
        if wanted.isEmpty && hasHungUp { return rest() }
        watch(wanted)
    }

    /// Stops watching and closes the socket; with a reset, what it has not sent is thrown away.
    func end(reset: Bool) {
        close(andDescriptor: true)
        if reset && !isUnix { socket.resetOnClose() }
        socket.close()
    }
}
