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
    /// The socket has failed: a watch would only be told so again and again.
    var hasFailed = false
    /// Both halves have ended while reading rests, which would be told for ever: the sweep looks after it.
    var hasHungUp = false
    /// How many errors were told of that the socket did not know of.
    var unknownErrors: UInt8 = 0
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
        // Should it not come to a watch, nobody else will end it.
        self.socket.isResetWhenDropped = !isUnix
        try super.init(loop: loop, fd: self.socket.fd, for: reading ? .readable : [])
    }

    override func ready(_ events: Events) {
        connection._withUnsafeGuaranteedRef { $0.legReady(self, events) }
    }

    /// Waits for what the flows want: to read, to write, or only to hear of a failure.
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
