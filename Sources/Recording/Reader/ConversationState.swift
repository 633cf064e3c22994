internal import Sockets
internal import Text

/// A conversation while it is read. Owned by its `ConversationTable`; one thread at a time.
final class ConversationState {
    var summary: RecordedConversation
    let client: TCPEndpoint
    var up = FlowAssembler()
    var down = FlowAssembler()
    /// Whether the client's SYN and the upstream's were seen.
    private(set) var hasSYN = false
    private(set) var hasAnswer = false
    /// The side whose FIN was first.
    private var firstToEnd: Side?
    /// The reset that the receiver accepted, unless its sender continued. The conversation ends some time later,
    /// because data in flight is captured after the reset.
    private(set) var reset: Reset?
    /// A possible later connection between the same ports, of which only SYNs were seen, which may be old ones.
    var candidate: ConversationState?
    /// In a candidate: its SYN has the sequence number of the previous connection's, and is a copy unless data follows.
    var isCopy = false
    /// Whether any other segments than SYNs were seen.
    var isEstablished: Bool { hasAnswer || up.next > 0 || down.next > 0 || up.isWaiting || down.isWaiting }
    /// Whether its end was reported.
    var isOver = false
    /// The number of its last segment among all segments, to find idle conversations.
    var heard: UInt64 = 0
    /// Its unique number, in the order in which conversations were announced.
    var serial: UInt64 = 0
    /// Bytes kept of the flows' prefixes.
    var prefixBytes: Int { summary.up.prefix.count + summary.down.prefix.count }
    /// The largest window that each side advertised, unscaled, and the scale of its SYN.
    private var upWindow = ReceiveWindow()
    private var downWindow = ReceiveWindow()

    /// A reset, by the sender's next sequence number.
    struct Reset {
        var side: Side
        var sequence: UInt32
        /// Capture time.
        var time: Int64
    }

    private struct ReceiveWindow {
        var largest: UInt16 = 0
        var scale: UInt8?
        var hasSYN = false
    }

    init(client: TCPEndpoint, upstream: TCPEndpoint, id: UInt64, time: Timestamp) {
        self.client = client
        summary = RecordedConversation(
            id: id, client: "\(client.address)", listener: "\(upstream.address)", started: time, ended: time)
    }

    var heldCost: Int { up.heldCost + down.heldCost }

    func direction(of segment: TCPSegment) -> Direction {
        segment.source == client ? .up : .down
    }

    /// Lends a flow.
    func withFlow<Result>(_ direction: Direction, _ body: (inout FlowAssembler) -> Result) -> Result {
        direction == .up ? body(&up) : body(&down)
    }

    // MARK: Start

    /// Whether a SYN can belong to this conversation, late or repeated. `isStrict` requires that a SYN-ACK acknowledges
    /// the client's SYN, because it may belong to another conversation.
    func mayHave(_ segment: TCPSegment, isStrict: Bool = false) -> Bool {
        let direction = direction(of: segment)
        if direction == .down, segment.flags.contains(.ack), hasSYN {
            // A SYN-ACK for this SYN, even if an earlier one had another sequence number; or a repeated SYN-ACK.
            if up.covers(acknowledgement: segment.acknowledgement) { return true }
            return down.hasStarted ? down.started(withSYN: segment.sequence) : !isStrict
        }
        let isFirst = !(direction == .up ? hasSYN : hasAnswer)
        return withFlow(direction) { $0.mayStart(withSYN: segment.sequence, isFirst: isFirst) }
    }

    /// Whether a SYN has the sequence number of this conversation's first SYN.
    func began(with segment: TCPSegment) -> Bool {
        withFlow(direction(of: segment)) { $0.started(withSYN: segment.sequence) }
    }

    func takeSYN(_ segment: TCPSegment) {
        let direction = direction(of: segment)
        withFlow(direction) { $0.start(afterSYN: segment.sequence) }
        if direction == .up {
            hasSYN = true
            summary.hasStart = true
            upWindow.hasSYN = true
            upWindow.scale = segment.windowScale
        } else {
            hasAnswer = true
            downWindow.hasSYN = true
            downWindow.scale = segment.windowScale
            // This gives the number of the client's first byte if its SYN was not captured.
            if segment.flags.contains(.ack), !up.hasStarted { up.start(afterSYN: segment.acknowledgement &- 1) }
        }
    }

    /// Whether a segment other than a SYN shows that the connection of this SYN exists: it has the first bytes after
    /// the SYN, or refuses it. `isExact` says that the segment may also belong to the earlier connection.
    func isConfirmed(by segment: TCPSegment, isExact: Bool) -> Bool {
        let direction = direction(of: segment)
        let acknowledged = direction == .up ? down : up
        if segment.flags.contains(.rst), !segment.flags.contains(.ack) { return false }
        let isRefusal = segment.flags.contains([.rst, .ack]) && direction == .down && !hasAnswer
        if isRefusal { return acknowledged.hasStarted && acknowledged.isFirst(segment.acknowledgement) }
        return withFlow(direction) { $0.mayBegin(at: segment.sequence, isExact: isExact) }
    }

    // MARK: Reset

    /// Records the window that a segment advertises for the other direction.
    func noteWindow(_ segment: TCPSegment, _ direction: Direction) {
        if direction == .up {
            if segment.window > upWindow.largest { upWindow.largest = segment.window }
        } else if segment.window > downWindow.largest {
            downWindow.largest = segment.window
        }
    }

    /// The receive window of a flow, with the scale of the handshake, or with the largest scale (RFC 7323, section 2.3)
    /// if the handshake was not captured.
    func window(for direction: Direction) -> UInt64 {
        let receiver = direction == .up ? downWindow : upWindow
        let scale: UInt8 =
            if upWindow.hasSYN, downWindow.hasSYN {
                // The scale applies only if both sides sent it.
                upWindow.scale != nil && downWindow.scale != nil ? receiver.scale ?? 0 : 0
            } else if receiver.hasSYN {
                receiver.scale ?? 0
            } else {
                14
            }
        return UInt64(max(receiver.largest, 1)) << UInt64(scale)
    }

    /// Applies a reset if its receiver accepted it; false for a forged one or a late one from an earlier connection.
    func takeReset(_ segment: TCPSegment, _ direction: Direction, time: Int64) -> Bool {
        guard reset == nil else { return false }
        // A refusal acknowledges the SYN (RFC 9293, section 3.10.7.3).
        let isRefusal = direction == .down && hasSYN && !hasAnswer && !down.hasStarted
        let isAccepted =
            isRefusal
            ? segment.flags.contains(.ack) && up.covers(acknowledgement: segment.acknowledgement)
            : withFlow(direction) { $0.admitsReset(segment.sequence, window: window(for: direction)) }
        guard isAccepted else { return false }
        let end = segment.sequence &+ UInt32(truncatingIfNeeded: segment.length)
        reset = Reset(side: direction.source, sequence: end, time: time)
        return true
    }

    /// Withdraws a reset if its sender continues after it, because then another host sent it.
    func withdrawReset(after segment: TCPSegment, _ direction: Direction) {
        guard let reset, reset.side == direction.source, !segment.flags.contains(.rst) else { return }
        let count = UInt32(truncatingIfNeeded: segment.length) &+ (segment.flags.contains(.fin) ? 1 : 0)
        guard count > 0, Int32(bitPattern: segment.sequence &+ count &- reset.sequence) > 0 else { return }
        self.reset = nil
    }

    // MARK: End

    /// The end reason, from the FINs and the reset.
    func reason() -> String? {
        if up.hasEnded, down.hasEnded { return firstToEnd.map { $0 == .client ? "client_closed" : "upstream_closed" } }
        guard let side = reset?.side else { return nil }
        if side == .upstream, hasSYN, !hasAnswer { return "connect_refused" }
        return side == .client ? "client_reset" : "upstream_reset"
    }

    /// Records which side's FIN was first in sequence.
    func noteEnds() {
        guard firstToEnd == nil else { return }
        if up.hasEnded { firstToEnd = .client } else if down.hasEnded { firstToEnd = .upstream }
    }

    // MARK: Tapline's comments

    func apply(_ comment: RecordingComment) {
        summary.isTaplines = true
        summary.id = comment.id
        summary.leg = comment.key.leg ?? summary.leg
        summary.relay = comment.relay ?? summary.relay
        summary.client = comment.client ?? summary.client
        summary.listener = comment.listener ?? summary.listener
        summary.upstream = comment.upstream ?? summary.upstream
        summary.upstreamAddress = comment.upstreamAddress ?? summary.upstreamAddress
        switch comment.kind {
        case .ended:
            summary.reason = comment.reason
            summary.closedBy = comment.closedBy
            summary.errno = comment.errno
            summary.droppedBytes = comment.droppedBytes
            summary.up.counted = comment.bytesUp
            summary.down.counted = comment.bytesDown
        case .stopped:
            summary.up.counted = comment.bytesUp
            summary.down.counted = comment.bytesDown
        case .opened, .connected, .joined, .continued, .gap, .secured: break
        }
    }
}

extension RecordingComment {
    /// The key of its conversation.
    var key: RecordedConversation.Key {
        RecordedConversation.Key(id: id, leg: leg.flatMap { Side(rawValue: $0) })
    }
}
