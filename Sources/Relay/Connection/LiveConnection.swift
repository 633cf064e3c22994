public import Sockets

/// The state of one open connection: its record so far, and what applies only while it is open.
///
/// A copy, made by the connection's worker on request; any thread.
public struct LiveConnection: Hashable, Sendable {
    /// The connection's progress.
    public enum State: String, CaseIterable, Hashable, Sendable {
        /// The upstream is being looked up or connected.
        case connecting
        /// Bytes may flow both ways.
        case open
        /// One side has ended its half in order.
        case halfClosed = "half_closed"
        /// A side has failed, and the bytes that it sent before are being delivered to the other.
        case resetting
    }

    /// What a connection waits for before bytes flow.
    public enum Wait: CaseIterable, Hashable, Sendable {
        /// The client's PROXY header.
        case proxyHeader
        /// The client's TLS ClientHello.
        case clientHello
        /// The client's request for a destination.
        case request
        /// The TLS handshake with the client.
        case clientHandshake
        /// The TLS handshake with the upstream.
        case upstreamHandshake
        /// The client, to take the reply that its request has failed and to close.
        case reply
        /// The addresses of the upstream's name.
        case name
        /// The upstream's answer to the connect, or its socket's room for a PROXY header.
        case connect
        /// The upstream to come up: an attempt has failed, and it is tried again (`timeouts.wait`); the
        /// record's `hold` has more.
        case upstreamUp
    }

    /// One direction.
    public struct FlowState: Hashable, Sendable {
        /// The shortest wait in milliseconds: while bytes move more often, neither side waits.
        public static let shortestWait: UInt64 = 500

        /// Bytes that Tapline holds because the destination's socket took no more.
        public var held = 0
        /// Bytes in the destination's socket that its peer's kernel has not acknowledged; 0 for a Unix socket, or if the
        /// kernel was not asked.
        public var queued = 0
        /// Milliseconds since the destination last took bytes, or, if it never did, since the flow began.
        public var quiet: UInt64 = 0
        /// The source has ended its half, or failed.
        public var hasEnded = false
        /// The flow is spliced now.
        public var splices = false
        /// The destination has taken bytes.
        public var hasMoved = false
        /// Reading has paused because the recording, which must be whole, has no room.
        public var awaitsRecording = false

        /// Bytes for the destination, held by Tapline or by the kernel, have not moved for a while.
        public var isBlocked: Bool {
            quiet >= Self.shortestWait && (held > 0 || queued > 0) && !awaitsRecording
        }
    }

    /// One of the two sockets.
    public struct LegState: Hashable, Sendable {
        /// The peer.
        public var address: SocketAddress
        /// The socket has failed: reset, or timed out.
        public var hasFailed: Bool
        /// The kernel's view; nil for a Unix socket, or if it was not requested.
        public var kernel: KernelStats?
    }

    /// The kernel's view of a TCP socket.
    public struct KernelStats: Hashable, Sendable {
        /// `TCP_INFO`.
        public var info: Socket.Info
        /// Bytes that the peer's kernel has not acknowledged.
        public var sendQueue: Int
        /// Bytes received that Tapline has not read.
        public var receiveQueue: Int
        /// The congestion control's name; nil if the system has none.
        public var congestionControl: String?
    }

    /// The record so far, without an end.
    public var record: ConnectionRecord
    /// The connection's progress.
    public var state: State
    /// Since accept, nanoseconds of the monotonic clock.
    public var age: Int64
    /// What it waits for while it is connecting; nil otherwise.
    public var wait: Wait?
    /// A recording, a live reader or a view is attached.
    public var isTapped = false
    /// From the client to the upstream.
    public var up = FlowState()
    /// From the upstream to the client.
    public var down = FlowState()
    /// The accepted socket.
    public var client: LegState?
    /// The upstream's socket; nil until it is connected.
    public var upstream: LegState?

    /// The state of a connection.
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
