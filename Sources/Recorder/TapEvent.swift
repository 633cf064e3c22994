internal import Recording
package import Sockets

/// An event from a worker to a recorder: the header of a record in the ring.
package struct TapEvent: BitwiseCopyable, Sendable {
    enum Kind: UInt8, BitwiseCopyable {
        /// The recording of a connection begins; the note has a `TapBeginning`.
        case begun
        /// The upstream is connected; the note has its address.
        case connected
        /// A TLS handshake of the connection is complete; the note has its facts.
        case secured
        /// Bytes delivered to the destination of a flow.
        case data
        /// Lines of the key log that decrypt the connection's next bytes.
        case keys
        /// A flow ended with an end of stream.
        case flowEnded
        /// The connection ended; the note has a `ConversationEnd`.
        case ended
        /// The recording stops and the connection continues.
        case stopped
    }

    let kind: Kind
    /// The flow, for `data` and `flowEnded`.
    var direction = Direction.up
    /// The key of the conversation's origin.
    let connection: UInt64
    /// The time by the monotonic clock, nanoseconds (`EventLoop.nanoseconds`).
    let ticks: UInt64
    /// The offset in the flow.
    var offset: UInt64 = 0
}

/// The part of an event that is not trivially copyable.
package final class TapNote: Sendable {
    enum Content: Sendable {
        case begun(TapBeginning)
        case connected(SocketAddress)
        case secured(ConversationSecurity)
        case ended(ConversationEnd)
        case stopped
    }

    let content: Content
    let account: TapAccount

    init(_ content: Content, _ account: TapAccount) {
        self.content = content
        self.account = account
    }
}

/// The state of a connection when its recording begins.
struct TapBeginning: Sendable {
    let origin: ConversationOrigin
    /// Whether it begins in the middle of the connection.
    let isFromMiddle: Bool
    let upstreamAddress: SocketAddress?
    /// The flows' offsets at which the recording begins.
    let upOffset: UInt64
    let downOffset: UInt64
    /// The flows that had ended before.
    let endedFlows: EndedFlows
    /// Whether the connection's end record waits for this recording (files only).
    let hasRecord: Bool
    /// The TLS sessions that were established before.
    var sessions: [ConversationSecurity] = []
}

/// The flows of a connection that have ended with an end of stream. A trivial value: every connection has one.
package struct EndedFlows: Hashable, Sendable {
    private(set) var up = false
    private(set) var down = false

    package init() {}

    package func contains(_ direction: Direction) -> Bool { direction == .up ? up : down }

    /// Adds a flow. False if it was present.
    package mutating func insert(_ direction: Direction) -> Bool {
        guard !contains(direction) else { return false }
        if direction == .up { up = true } else { down = true }
        return true
    }
}

/// The ring between workers and a recorder.
package typealias TapRing = ByteRing<TapEvent, TapNote>
