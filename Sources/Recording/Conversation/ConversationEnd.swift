/// How a recorded connection ended. A value; any thread.
public struct ConversationEnd: Hashable, Sendable {
    /// The time, nanoseconds since 1970 UTC.
    public var time: Int64
    /// The end reason, from the closed list of reasons, such as `client_closed`.
    public var reason: String
    /// `client`, `upstream` or `tapline`.
    public var closedBy: String
    /// The C symbol of the system error that ended the connection, if any.
    public var errno: String?
    /// Bytes delivered to the upstream since the connection began.
    public var bytesUp: UInt64
    /// Bytes delivered to the client since the connection began.
    public var bytesDown: UInt64
    /// The offset at which the recording of the client's flow ends; less than `bytesUp` if the recording is limited.
    public var upEnd: UInt64
    /// The offset at which the recording of the upstream's flow ends.
    public var downEnd: UInt64
    /// Recorded bytes of both flows.
    public var recordedBytes: UInt64
    /// Bytes of both flows that were not recorded for lack of room.
    public var droppedBytes: UInt64
    /// The side that did not read, `client` or `upstream`, if that explains the end.
    public var waitedFor: String?
    /// Bytes that waited for it.
    public var heldBytes: UInt64?
    /// Since it last took bytes, milliseconds.
    public var waitedMilliseconds: UInt64?
    /// The upstream as configured when the connection ended; nil if it is that of the beginning.
    public var upstream: String?
    /// How long the client was held until the upstream was up, milliseconds; nil if it was not.
    public var clientHeldMilliseconds: UInt64?
    /// Attempts to connect the upstream; nil if unknown.
    public var attempts: UInt64?

    /// The end of a connection. Without `upEnd` and `downEnd` the flows were to be recorded in full.
    public init(
        time: Int64, reason: String, closedBy: String, errno: String?, bytesUp: UInt64, bytesDown: UInt64,
        upEnd: UInt64? = nil, downEnd: UInt64? = nil, recordedBytes: UInt64, droppedBytes: UInt64
    ) {
        self.time = time
        self.reason = reason
        self.closedBy = closedBy
        self.errno = errno
        self.bytesUp = bytesUp
        self.bytesDown = bytesDown
        self.upEnd = upEnd ?? bytesUp
        self.downEnd = downEnd ?? bytesDown
        self.recordedBytes = recordedBytes
        self.droppedBytes = droppedBytes
    }

    /// Whether both flows ended with a FIN; every other end is recorded as a reset.
    public var isOrderly: Bool { reason == "client_closed" || reason == "upstream_closed" }
}
