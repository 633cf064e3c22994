public import Sockets

/// One open connection as it stands: its record so far, and what only makes sense while it is open.
///
/// A copy, made by the connection's worker when somebody asks; any thread may keep it.
public struct LiveConnection: Hashable, Sendable {
    /// How far it has come.
    public enum State: String, CaseIterable, Hashable, Sendable {
        /// The upstream is being looked up or connected.
        case connecting
        /// Bytes pass both ways, or may.
        case open
        /// One side has ended its half in order.
        case halfClosed = "half_closed"
        /// A side has failed, and what it sent before is on its way to the other.
        case resetting
    }

    /// One direction of it.
    public struct FlowState: Hashable, Sendable {
        /// Bytes that Tapline holds because the destination's socket took no more.
        public var held = 0
        /// Since when the destination has taken nothing, or, where it never took anything, since the flow began:
        /// milliseconds.
        public var quiet: UInt64 = 0
        /// The source has ended its half, or failed: nothing more comes.
        public var hasEnded = false
        /// It goes by splice now.
        public var splices = false
        /// The destination has taken something at some time.
        public var hasMoved = false
        /// It reads nothing because its recording, which must be whole, has no room for more.
        public var awaitsRecording = false
    }

    /// One of its two sockets.
    public struct LegState: Hashable, Sendable {
        /// Whom it is connected to.
        public var address: SocketAddress
        /// Its socket has failed: reset, or timed out.
        public var hasFailed: Bool
        /// What the kernel says; nil for a Unix socket, or where it was not asked.
        public var kernel: KernelFigures?
    }

    /// What the kernel says of a TCP socket.
    public struct KernelFigures: Hashable, Sendable {
        /// `TCP_INFO`.
        public var info: Socket.Info
        /// Bytes that the peer's kernel has not acknowledged.
        public var sendQueue: Int
        /// Bytes that have come and that Tapline has not read.
        public var receiveQueue: Int
        /// The congestion control's name; nil where the system does not say.
        public var congestionControl: String?
    }

    /// The record so far; it has no end.
    public var record: ConnectionRecord
    /// How far it has come.
    public var state: State
    /// Since accept, nanoseconds of the monotonic clock.
    public var age: Int64
    /// While it connects: its PROXY header is not there yet.
    public var awaitsHeader = false
    /// While it connects: its TLS ClientHello, which says what to connect, is not there yet.
    public var awaitsHello = false
    /// While it connects: the name's addresses are not known yet.
    public var awaitsName = false
    /// A tap takes its bytes.
    public var isTapped = false
    /// From the client to the upstream.
    public var up = FlowState()
    /// From the upstream to the client.
    public var down = FlowState()
    /// The accepted socket; nil where it is not watched yet.
    public var client: LegState?
    /// The upstream's socket; nil until it is connected.
    public var upstream: LegState?

    /// What was seen of a connection.
    public init(record: ConnectionRecord, state: State, age: Int64) {
        self.record = record
        self.state = state
        self.age = age
    }
}

extension LiveConnection.LegState {
    /// A leg.
    public init(address: SocketAddress, hasFailed: Bool = false) {
        self.init(address: address, hasFailed: hasFailed, kernel: nil)
    }
}
