extension Traffic {
    /// The beginning of a connection.
    package struct Opening: Hashable, Sendable {
        /// The connection.
        package var connection: UInt64
        /// The addresses on the way: the client, the relay's name or nil, and the upstream.
        package var client: String
        package var relay: String?
        package var upstream: String
        /// Whether it was open before it is shown, so that earlier bytes are not shown.
        package var isUnderway: Bool

        package init(
            connection: UInt64, client: String, relay: String?, upstream: String, isUnderway: Bool = false
        ) {
            self.connection = connection
            self.client = client
            self.relay = relay
            self.upstream = upstream
            self.isUnderway = isUnderway
        }
    }

    /// The end of a connection.
    package struct Ending: Hashable, Sendable {
        /// The connection.
        package var connection: UInt64
        /// The last bytes of each flow that are not shown.
        package var unseenUp: UInt64 = 0
        package var unseenDown: UInt64 = 0
        /// How it ended; nil: the end is not shown.
        package var outcome: Outcome?

        package init(connection: UInt64, unseenUp: UInt64 = 0, unseenDown: UInt64 = 0, outcome: Outcome? = nil) {
            self.connection = connection
            self.unseenUp = unseenUp
            self.unseenDown = unseenDown
            self.outcome = outcome
        }
    }

    /// How a connection ended, and its totals.
    package struct Outcome: Hashable, Sendable {
        /// The end reason; nil: it was open when the recording ended.
        package var reason: String?
        /// `client`, `upstream` or `tapline`, if known.
        package var closedBy: String?
        /// The C symbol of the system error that caused the end, if any.
        package var errno: String?
        package var bytesUp: UInt64
        package var bytesDown: UInt64
        /// Nanoseconds.
        package var duration: Int64

        package init(
            reason: String?, closedBy: String?, errno: String?, bytesUp: UInt64, bytesDown: UInt64, duration: Int64
        ) {
            self.reason = reason
            self.closedBy = closedBy
            self.errno = errno
            self.bytesUp = bytesUp
            self.bytesDown = bytesDown
            self.duration = duration
        }

        /// Whether it is anything but an end in order.
        package var isFailure: Bool { ReasonText.isFailure(reason) }
    }
}
