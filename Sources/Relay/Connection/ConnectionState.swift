internal import Glibc
internal import Sockets

/// The phases of a connection, as a pure state machine: events in, one action out. It touches no socket.
///
/// A flow ends in two steps: its source ends (FIN read), then everything before that has been delivered. Only then is
/// the end passed on. A failed leg (reset, timed out) likewise: what it sent before is delivered, then the other leg is
/// reset.
struct ConnectionState: Hashable {
    enum Phase: Hashable {
        /// Stages run before the upstream is connected.
        case preparing
        /// The upstream is being looked up or connected.
        case connecting
        /// The upstream is connected, and stages run before bytes flow.
        case greeting
        /// Bytes flow.
        case relaying
        /// A leg has failed, and everything that it sent is in the other leg's socket, which still has to send it.
        case passingReset
        /// There is no upstream for the client's request: the reply that says so is delivered, and the client closes.
        case refusing
        /// Ended; its record is made.
        case ended
    }

    enum FlowPhase: Hashable {
        /// The source may send more.
        case open
        /// The source has ended; some of its bytes are not delivered yet.
        case ending
        /// Delivered, and its end passed on; or cut, because its destination is gone.
        case ended
    }

    enum Event: Hashable {
        /// The stages before the upstream are done.
        case prepared
        /// `failed`: the upstream has reset since, so there is no greeting.
        case connected(failed: Bool)
        /// The stages after the upstream was connected are done, or the upstream failed during them.
        case greeted
        /// The client has the reply that its request has failed, and has closed.
        case refused
        case connectFailed(EndReason, Errno?)
        /// The source of a flow has ended its half in order.
        case sourceEnded(Direction)
        /// Everything that a flow's source sent before it ended has been delivered.
        case delivered(Direction)
        /// A leg's socket has failed.
        case legFailed(Side, Errno)
        /// A leg's TLS session has failed, and its socket has not.
        case sessionFailed(Side, EndReason)
        /// The other leg has sent everything that came before the reset, or the time limit for that has passed.
        case resetMayPass
        /// The failed leg's peer has closed in order, and its kernel answered what only TLS had sent with a reset.
        case closedUnread
        /// The kernel refused to watch a leg's socket.
        case watchRefused(Errno?)
        /// Tapline ends the connection.
        case decided(EndReason)
    }

    enum Action: Hashable {
        case none
        /// Start to connect the upstream.
        case connect
        /// Run the stages of the greeting.
        case greet
        /// Start moving bytes.
        case relay
        /// Pass an end of stream on to a leg.
        case endWriting(Side)
        /// A leg has failed: cut the flow towards it, and deliver what it sent before.
        case drain(from: Side)
        /// Wait until a leg's socket has sent everything, then report `resetMayPass`.
        case awaitSent(Side)
        /// Run the stage that delivers the reply for a failure to the client.
        case refuse(EndReason, Errno?)
        /// Close both legs, softly or by reset, and make the record.
        case end(reset: Bool, EndReason, Errno?)
    }

    private(set) var phase: Phase
    private(set) var up = FlowPhase.open
    private(set) var down = FlowPhase.open
    private(set) var firstEnd: Side?
    private(set) var failedSide: Side?
    /// The flows when a leg failed.
    private var upBeforeFailure = FlowPhase.open
    private var downBeforeFailure = FlowPhase.open
    /// The reason for which the failed leg's session has failed; nil if its socket did.
    private var sessionFailure: EndReason?
    /// The reason for which the client's request is refused.
    private var refusal: EndReason?
    private var failure: Errno?
    /// The client expects a reply to its request for a destination, whatever becomes of it. Set by the connection.
    var isReplyDue = false
    /// Stages follow when the upstream is connected. Set by the connection when a reload changes that for a held client.
    var greets: Bool

    init(prepares: Bool = false, greets: Bool = false) {
        self.greets = greets
        phase = prepares ? .preparing : .connecting
    }

    func phase(of direction: Direction) -> FlowPhase {
        direction == .up ? up : down
    }

    /// Whether bytes may still move between the legs.
    @inline(__always)
    var isMoving: Bool { phase == .relaying || phase == .passingReset }

    /// Whether a side's stream had ended in order when a leg failed.
    func hadEnded(_ side: Side) -> Bool { (side == .client ? upBeforeFailure : downBeforeFailure) != .open }

    /// Whether a leg's socket has failed because its peer's kernel has answered with a reset.
    var hasBeenReset: Bool {
        failedSide != nil && sessionFailure == nil && (failure?.code == ECONNRESET || failure?.code == EPIPE)
    }

    /// Whether stages run.
    var isStaging: Bool { phase == .preparing || phase == .greeting || phase == .refusing }

    /// The event that the last stage of a phase is done.
    var stagesDone: Event {
        switch phase {
        case .preparing: .prepared
        case .refusing: .refused
        case .connecting, .greeting, .relaying, .passingReset, .ended: .greeted
        }
    }

    /// Whether no byte may flow yet.
    var isOpening: Bool { phase == .connecting || isStaging }

    /// Whether one flow has ended and the other is open, in order.
    var isHalfClosed: Bool { phase == .relaying && failedSide == nil && (up == .ended) != (down == .ended) }

    mutating func handle(_ event: Event) -> Action {
        switch (phase, event) {
        case (.ended, _):
            return .none

        case (_, .sessionFailed(let side, let reason)):
            if failedSide == nil, refusal == nil { sessionFailure = reason }
            return handle(.legFailed(side, .protocolError))

        case (.preparing, .prepared):
            phase = .connecting
            return .connect
        case (.preparing, .sourceEnded(let direction)), (.greeting, .sourceEnded(let direction)):
            // Closed without sending anything, e.g. by a port scan or a TCP health check.
            return direction == .up ? end(reset: false, .clientClosed, nil) : fail(reset: false, .upstreamClosed, nil)
        case (.preparing, .connectFailed(let reason, let errno)), (.connecting, .connectFailed(let reason, let errno)),
            (.greeting, .connectFailed(let reason, let errno)):
            return fail(reset: true, reason, errno)
        case (.preparing, .legFailed(let side, let errno)), (.connecting, .legFailed(let side, let errno)),
            (.greeting, .legFailed(let side, let errno)):
            let reason = reason(side, errno)
            let cause = sessionFailure == nil ? errno : nil
            return side == .client ? end(reset: true, reason, cause) : fail(reset: true, reason, cause)
        case (.preparing, .connected), (.preparing, .greeted):
            preconditionFailure("ConnectionState: \(event) before the upstream is connected")

        case (.connecting, .connected(let failed)):
            phase = greets && !failed ? .greeting : .relaying
            return phase == .greeting ? .greet : .relay
        case (.greeting, .greeted):
            phase = .relaying
            return .relay

        case (.preparing, .delivered), (.preparing, .resetMayPass), (.connecting, .sourceEnded),
            (.connecting, .delivered), (.connecting, .resetMayPass), (.greeting, .delivered),
            (.greeting, .resetMayPass):
            preconditionFailure("ConnectionState: \(event) before bytes flow")
        case (.connecting, .prepared), (.greeting, .prepared), (.relaying, .prepared), (.passingReset, .prepared):
            preconditionFailure("ConnectionState: prepared twice")
        case (.connecting, .greeted), (.relaying, .greeted), (.passingReset, .greeted):
            preconditionFailure("ConnectionState: greeted outside the greeting")
        case (.greeting, .connected), (.relaying, .connected), (.passingReset, .connected),
            (.relaying, .connectFailed), (.passingReset, .connectFailed):
            preconditionFailure("ConnectionState: \(event) after the upstream was connected")

        case (.refusing, .refused):
            return endRefusal(reset: false)
        case (.refusing, .legFailed(.upstream, _)), (.refusing, .sourceEnded(.down)):
            // The client's request has failed already.
            return .none
        case (.refusing, .legFailed(.client, _)), (.refusing, .sourceEnded(.up)), (.refusing, .watchRefused),
            (.refusing, .decided):
            return endRefusal(reset: true)
        case (.refusing, .prepared), (.refusing, .connected), (.refusing, .greeted), (.refusing, .connectFailed),
            (.refusing, .delivered), (.refusing, .resetMayPass):
            preconditionFailure("ConnectionState: \(event) while the client's request is refused")
        case (.preparing, .refused), (.connecting, .refused), (.greeting, .refused), (.relaying, .refused),
            (.passingReset, .refused):
            preconditionFailure("ConnectionState: refused without a refusal")

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
            (upBeforeFailure, downBeforeFailure) = (up, down)
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
        case (.passingReset, .closedUnread):
            return end(reset: false, firstEnd == .upstream ? .upstreamClosed : .clientClosed, nil)
        case (.preparing, .closedUnread), (.connecting, .closedUnread), (.greeting, .closedUnread),
            (.relaying, .closedUnread), (.refusing, .closedUnread):
            preconditionFailure("ConnectionState: closedUnread without a failed leg")

        case (_, .watchRefused(let errno)):
            if failedSide != nil { return endAfterFailure() }
            return end(reset: true, .internalError, errno)
        case (_, .decided(let reason)):
            // A reset that came first stays the reason.
            if failedSide != nil { return endAfterFailure() }
            return isOpening ? fail(reset: true, reason, nil) : end(reset: true, reason, nil)
        }
    }

    private mutating func set(_ direction: Direction, _ flow: FlowPhase) {
        if direction == .up { up = flow } else { down = flow }
    }

    private mutating func endAfterFailure() -> Action {
        guard let side = failedSide else { preconditionFailure("ConnectionState: no leg has failed") }
        return end(reset: true, reason(side, failure), sessionFailure == nil ? failure : nil)
    }

    /// The connection ends before bytes flow: with a reply if the client expects one, and Tapline does not end it at once.
    private mutating func fail(reset: Bool, _ reason: EndReason, _ errno: Errno?) -> Action {
        guard isReplyDue, reason.hasReply else { return end(reset: reset, reason, errno) }
        phase = .refusing
        refusal = reason
        failure = errno
        return .refuse(reason, errno)
    }

    private mutating func endRefusal(reset: Bool) -> Action {
        guard let refusal else { preconditionFailure("ConnectionState: refused without a reason") }
        return end(reset: reset, refusal, failure)
    }

    private mutating func end(reset: Bool, _ reason: EndReason, _ errno: Errno?) -> Action {
        phase = .ended
        return .end(reset: reset, reason, errno)
    }

    /// The reason of a failed leg: its session's, timed out if the system, or Tapline, gave up on its peer; otherwise reset. A peer does not
    /// cause EIO.
    private func reason(_ side: Side, _ errno: Errno?) -> EndReason {
        if let sessionFailure { return sessionFailure }
        return switch errno?.code {
        case ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ENETDOWN, EHOSTDOWN:
            side == .client ? .clientTimedOut : .upstreamTimedOut
        case EIO: .internalError
        default:
            side == .client ? .clientReset : .upstreamReset
        }
    }
}
