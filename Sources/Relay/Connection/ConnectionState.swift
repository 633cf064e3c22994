internal import Glibc
internal import Recording
internal import Sockets

/// Where a connection stands, as a pure machine: events in, one action out. It touches no socket.
///
/// A flow ends in two steps: its source ends (FIN read), then everything before that has been delivered. Only then is
/// the end passed on. A failed leg (reset, timed out) likewise: what it sent before is delivered, then the other leg is
/// reset.
struct ConnectionState: Hashable {
    enum Phase: Hashable {
        /// No upstream is connected before the client's PROXY header is complete.
        case awaitingHeader
        /// Which upstream is to be connected is for the client's TLS ClientHello to say.
        case awaitingHello
        /// The upstream is being looked up or connected.
        case connecting
        /// Bytes pass.
        case relaying
        /// A leg has failed and all it sent is with the other leg's socket, which still has to send it.
        case passingReset
        /// Over; its record is made.
        case ended
    }

    enum FlowPhase: Hashable {
        /// The source may send more.
        case open
        /// The source has ended; something it sent is still on its way.
        case ending
        /// Delivered, and its end passed on; or cut, because its destination is gone.
        case ended
    }

    enum Event: Hashable {
        /// The PROXY header is there, and is good.
        case headerRead
        /// It is known which upstream is to be connected.
        case routed
        case connected
        case connectFailed(EndReason, Errno?)
        /// The source of a flow has ended its half in order.
        case sourceEnded(Direction)
        /// Everything that a flow's source sent before it ended has been delivered.
        case delivered(Direction)
        /// A leg's socket has failed.
        case legFailed(Side, Errno)
        /// The other leg has sent what came before the reset, or has had its time to.
        case resetMayPass
        /// The kernel refused to watch a leg's socket.
        case watchRefused(Errno?)
        /// Tapline ends the connection.
        case decided(EndReason)
    }

    enum Action: Hashable {
        case none
        /// Wait for the client's ClientHello.
        case awaitHello
        /// Start to connect the upstream.
        case connect
        /// Both legs are there: start moving bytes.
        case relay
        /// Pass an end of stream on to a leg.
        case endWriting(Side)
        /// A leg has failed: cut the flow towards it, and deliver what it sent before.
        case drain(from: Side)
        /// Wait until a leg's socket has sent everything, then say `resetMayPass`.
        case awaitSent(Side)
        /// Close both legs, softly or by reset, and make the record.
        case end(reset: Bool, EndReason, Errno?)
    }

    private(set) var phase: Phase
    private(set) var up = FlowPhase.open
    private(set) var down = FlowPhase.open
    private(set) var firstEnd: Side?
    private(set) var failedSide: Side?
    private var failure: Errno?
    /// What there is to be known before an upstream is connected, behind a header.
    private let awaitsHello: Bool

    init(awaitsHeader: Bool = false, awaitsHello: Bool = false) {
        self.awaitsHello = awaitsHello
        phase = awaitsHeader ? .awaitingHeader : awaitsHello ? .awaitingHello : .connecting
    }

    func phase(of direction: Direction) -> FlowPhase {
        direction == .up ? up : down
    }

    /// Whether both legs are there and bytes may still move between them.
    @inline(__always)
    var isMoving: Bool { phase == .relaying || phase == .passingReset }

    /// Whether the client has yet to say what is to be known before an upstream is connected.
    var awaitsClient: Bool { phase == .awaitingHeader || phase == .awaitingHello }

    /// Whether one flow has ended and the other is open, in order.
    var isHalfClosed: Bool { phase == .relaying && failedSide == nil && (up == .ended) != (down == .ended) }

    mutating func handle(_ event: Event) -> Action {
        switch (phase, event) {
        case (.ended, _):
            return .none

        case (.awaitingHeader, .headerRead) where awaitsHello:
            phase = .awaitingHello
            return .awaitHello
        case (.awaitingHeader, .headerRead), (.awaitingHello, .routed):
            phase = .connecting
            return .connect
        case (.awaitingHeader, .sourceEnded(.up)), (.awaitingHello, .sourceEnded(.up)):
            // Closed without sending anything, e.g. by a port scan or a TCP health check.
            return end(reset: false, .clientClosed, nil)
        case (.awaitingHeader, .legFailed(let side, let errno)), (.awaitingHello, .legFailed(let side, let errno)):
            return end(reset: true, Self.reason(side, errno), errno)
        case (.awaitingHeader, .sourceEnded(.down)), (.awaitingHeader, .delivered), (.awaitingHeader, .resetMayPass),
            (.awaitingHeader, .connected), (.awaitingHeader, .connectFailed), (.awaitingHeader, .routed):
            preconditionFailure("ConnectionState: \(event) before the header")
        case (.awaitingHello, .sourceEnded(.down)), (.awaitingHello, .delivered), (.awaitingHello, .resetMayPass),
            (.awaitingHello, .connected), (.awaitingHello, .connectFailed):
            preconditionFailure("ConnectionState: \(event) before the hello")
        case (.awaitingHello, .headerRead), (.connecting, .headerRead), (.relaying, .headerRead),
            (.passingReset, .headerRead):
            preconditionFailure("ConnectionState: a second header")
        case (.connecting, .routed), (.relaying, .routed), (.passingReset, .routed):
            preconditionFailure("ConnectionState: led twice")

        case (.connecting, .connected):
            phase = .relaying
            return .relay
        case (.connecting, .connectFailed(let reason, let errno)):
            return end(reset: true, reason, errno)
        case (.connecting, .legFailed(let side, let errno)):
            return end(reset: true, Self.reason(side, errno), errno)
        case (.connecting, .sourceEnded), (.connecting, .delivered), (.connecting, .resetMayPass):
            preconditionFailure("ConnectionState: \(event) before anything was read")
        case (.relaying, .connected), (.relaying, .connectFailed), (.passingReset, .connected),
            (.passingReset, .connectFailed):
            preconditionFailure("ConnectionState: \(event) though connected")

        case (.relaying, .sourceEnded(let direction)):
            if phase(of: direction) == .open { set(direction, .ending) }
            firstEnd = firstEnd ?? direction.source
            return .none

        case (.relaying, .delivered(let direction)):
            set(direction, .ended)
            if failedSide == direction.source {
                phase = .passingReset
                return .awaitSent(direction.destination)
            }
            if up == .ended && down == .ended && failedSide == nil {
                return end(reset: false, firstEnd == .upstream ? .upstreamClosed : .clientClosed, nil)
            }
            return .endWriting(direction.destination)

        case (.relaying, .legFailed(let side, let errno)):
            guard failedSide == nil else {
                return failedSide == side ? .none : endAfterFailure()
            }
            failedSide = side
            failure = errno
            set(Direction(from: side.other), .ended)
            if phase(of: Direction(from: side)) == .ended {
                phase = .passingReset
                return .awaitSent(side.other)
            }
            set(Direction(from: side), .ending)
            return .drain(from: side)

        case (.relaying, .resetMayPass), (.passingReset, .resetMayPass):
            return failedSide == nil ? .none : endAfterFailure()
        case (.passingReset, .legFailed(let side, _)):
            return side == failedSide ? .none : endAfterFailure()
        case (.passingReset, .sourceEnded), (.passingReset, .delivered):
            return .none

        case (_, .watchRefused(let errno)):
            if failedSide != nil { return endAfterFailure() }
            return end(reset: true, .internalError, errno)
        case (_, .decided(let reason)):
            // A reset that came first stays the reason.
            if failedSide != nil { return endAfterFailure() }
            return end(reset: true, reason, nil)
        }
    }

    private mutating func set(_ direction: Direction, _ flow: FlowPhase) {
        if direction == .up { up = flow } else { down = flow }
    }

    private mutating func endAfterFailure() -> Action {
        guard let side = failedSide else { preconditionFailure("ConnectionState: no leg has failed") }
        return end(reset: true, Self.reason(side, failure), failure)
    }

    private mutating func end(reset: Bool, _ reason: EndReason, _ errno: Errno?) -> Action {
        phase = .ended
        return .end(reset: reset, reason, errno)
    }

    /// The reason of a failed leg: timed out when the system, or Tapline, gave up on its peer; else reset. EIO is no
    /// peer's doing.
    private static func reason(_ side: Side, _ errno: Errno?) -> EndReason {
        switch errno?.code {
        case ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ENETDOWN, EHOSTDOWN:
            side == .client ? .clientTimedOut : .upstreamTimedOut
        case EIO: .internalError
        default:
            side == .client ? .clientReset : .upstreamReset
        }
    }
}
