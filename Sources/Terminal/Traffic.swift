package import Sockets
package import Text

/// Traffic that is shown, or that is missing from what is shown.
package enum Traffic: Hashable, Sendable {
    /// Bytes that passed, at a time; before them `unseen` bytes of the flow passed that are not shown.
    case passed(Flow, bytes: [UInt8], time: Timestamp, unseen: UInt64)
    /// Bytes of the flow that passed and that a recording does not have.
    case missing(Flow, count: UInt64, time: Timestamp)
    /// The connection is gone; the last bytes of its flows may not be shown.
    case ended(connection: UInt64, unseenUp: UInt64, unseenDown: UInt64, time: Timestamp)
    /// Connections that ended without anything shown, and their bytes.
    case omitted(Omitted, time: Timestamp)

    /// One direction of a connection.
    package struct Flow: Hashable, Sendable {
        package var connection: UInt64
        package var direction: Direction

        package init(connection: UInt64, direction: Direction) {
            self.connection = connection
            self.direction = direction
        }
    }

    /// A sum of what is not shown of connections that have ended.
    package struct Omitted: Hashable, Sendable {
        package var bytes: UInt64 = 0
        package var connections: UInt64 = 0

        /// Nothing omitted yet.
        package init() {}
    }
}
