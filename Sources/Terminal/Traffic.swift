package import Sockets
package import Text

/// Traffic that is shown, and the amount of traffic that is not.
package enum Traffic: Hashable, Sendable {
    /// A connection begins.
    case opened(Opening, time: Timestamp)
    /// Bytes that passed at a time; `unseen` bytes of the flow passed before them and are not shown.
    case passed(Flow, bytes: [UInt8], time: Timestamp, unseen: UInt64)
    /// Bytes that passed, as lines that describe them.
    case described(Flow, count: Int, lines: [String], time: Timestamp)
    /// Lines of the program itself, in their place.
    case remark(String)
    /// Bytes of the flow that passed and that the recording does not have.
    case missing(Flow, count: UInt64, time: Timestamp)
    /// The connection has ended; the last bytes of its flows may not be shown.
    case ended(Ending, time: Timestamp)
    /// Connections that ended before any of their bytes were shown, and the number of those bytes.
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

    /// Bytes that are not shown of connections that have ended.
    package struct Omitted: Hashable, Sendable {
        package var bytes: UInt64 = 0
        package var connections: UInt64 = 0

        /// Nothing omitted yet.
        package init() {}
    }
}
