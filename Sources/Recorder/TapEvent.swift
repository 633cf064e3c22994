internal import Recording
package import Sockets

/// What a worker tells a recorder, as it stands in the ring between them.
package struct TapEvent: BitwiseCopyable, Sendable {
    enum Kind: UInt8, BitwiseCopyable {
        /// The recording of a connection begins; the note says with what.
        case begun
        /// The upstream is connected; the note says where.
        case connected
        /// Bytes that the destination of a flow took.
        case data
        /// A flow ended in order.
        case flowEnded
        /// The connection ended; the note says how.
        case ended
        /// The connection goes on, its recording does not.
        case stopped
    }

    let kind: Kind
    /// Which flow, for `data` and `flowEnded`.
    var direction = Direction.up
    let connection: UInt64
    /// When it happened: the monotonic clock, nanoseconds (`EventLoop.nanoseconds`).
    let ticks: UInt64
    /// How many bytes of the flow were delivered before.
    var offset: UInt64 = 0
}

/// What goes with an event and is no plain number.
package final class TapNote: Sendable {
    enum Content: Sendable {
        case begun(TapBeginning)
        case connected(SocketAddress)
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

/// With what the recording of a connection begins.
struct TapBeginning: Sendable {
    let origin: ConversationOrigin
    /// Whether it begins in the middle: the upstream is connected, or has been.
    let isFromMiddle: Bool
    let upstreamAddress: SocketAddress?
    /// How much of each flow passed before.
    let upOffset: UInt64
    let downOffset: UInt64
    /// Which flows had ended by then.
    let endedFlows: EndedFlows
    /// Whether the recording of this connection goes into files, so that its record waits for it.
    let hasRecord: Bool
}

/// Which flows of a connection have ended in order. A plain value: every connection has one, recorded or not.
package struct EndedFlows: Hashable, Sendable {
    private(set) var up = false
    private(set) var down = false

    package init() {}

    package func contains(_ direction: Direction) -> Bool { direction == .up ? up : down }

    /// Notes an end. False when it was noted before.
    package mutating func insert(_ direction: Direction) -> Bool {
        guard !contains(direction) else { return false }
        if direction == .up { up = true } else { down = true }
        return true
    }
}

/// The ring between workers and a recorder.
package typealias TapRing = ByteRing<TapEvent, TapNote>
