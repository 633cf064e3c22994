internal import Sockets
internal import Text

/// A conversation while it is read. Owned by the table that made it; one thread at a time.
final class ConversationState {
    var summary: RecordedConversation
    let client: TCPEndpoint
    var up = FlowAssembler()
    var down = FlowAssembler()
    /// Whether the client's SYN and the upstream's were seen.
    private(set) var hasSYN = false
    private(set) var hasAnswer = false
    /// Whose FIN came first.
    private var firstToEnd: Side?
    /// The reset that the other side took, unless its sender went on; the conversation ends some time later, because
    /// data that was on its way is captured behind it.
    private(set) var reset: Reset?
    /// A later connection between the same ports, while all that is known of it are SYNs that may be old ones.
    var candidate: ConversationState?
    /// Of a candidate: its SYN has the number of the one before, and is a copy unless data follows.
    var isCopy = false
    /// Whether anything but SYNs was seen.
    var isEstablished: Bool { hasAnswer || up.next > 0 || down.next > 0 || up.isWaiting || down.isWaiting }
    /// Nothing more is reported of it.
    var isOver = false
    /// The place of its last segment among all segments, to find the conversation that is idle.
    var heard: UInt64 = 0
    /// Its place in the order in which conversations were announced; no other has it.
    var serial: UInt64 = 0
    /// How many bytes it holds of its flows' beginnings.
    var prefixBytes: Int { summary.up.prefix.count + summary.down.prefix.count }
    /// The largest window that each side advertised, not scaled, and the scale of its SYN.
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

    /// Whether a SYN can be this conversation's, seen late or twice. `isStrict` says that an answer has to acknowledge
    /// the client's SYN, because another conversation may have it.
    func mayHave(_ segment: TCPSegment, isStrict: Bool = false) -> Bool {
        let direction = direction(of: segment)
        if direction == .down, segment.flags.contains(.ack), hasSYN {
            // An answer to this very SYN, also where it chose another number before; or a copy of the answer.
            if up.covers(acknowledgement: segment.acknowledgement) { return true }
            return down.hasStarted ? down.started(withSYN: segment.sequence) : !isStrict
        }
        let isFirst = !(direction == .up ? hasSYN : hasAnswer)
        return withFlow(direction) { $0.mayStart(withSYN: segment.sequence, isFirst: isFirst) }
    }

    /// Whether a SYN has the number of the one that this conversation began with.
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
            // The number of the client's first byte, also where its SYN was not captured.
            if segment.flags.contains(.ack), !up.hasStarted { up.start(afterSYN: segment.acknowledgement &- 1) }
        }
    }

    /// Whether a segment that is no SYN shows that the connection which began with this SYN exists: it carries the
    /// first bytes behind it, or refuses it. `isExact` says that the segment may belong to the earlier connection as
    /// well.
    func isConfirmed(by segment: TCPSegment, isExact: Bool) -> Bool {
        let direction = direction(of: segment)
        let acknowledged = direction == .up ? down : up
        if segment.flags.contains(.rst), !segment.flags.contains(.ack) { return false }
        let isRefusal = segment.flags.contains([.rst, .ack]) && direction == .down && !hasAnswer
        if isRefusal { return acknowledged.hasStarted && acknowledged.isFirst(segment.acknowledgement) }
        return withFlow(direction) { $0.mayBegin(at: segment.sequence, isExact: isExact) }
    }

    // MARK: Reset

    /// Notes the window that a segment advertises for the other direction.
    func noteWindow(_ segment: TCPSegment, _ direction: Direction) {
        if direction == .up {
            if segment.window > upWindow.largest { upWindow.largest = segment.window }
        } else if segment.window > downWindow.largest {
            downWindow.largest = segment.window
        }
    }

    /// How far behind the acknowledged bytes of a flow its receiver takes segments: its window, with the scale of the
    /// handshake, or with the largest scale (RFC 7323, section 2.3) where the handshake was not captured.
    func window(for direction: Direction) -> UInt64 {
        let receiver = direction == .up ? downWindow : upWindow
        let scale: UInt8 =
            if upWindow.hasSYN, downWindow.hasSYN {
                // It counts only where both sides have it.
                upWindow.scale != nil && downWindow.scale != nil ? receiver.scale ?? 0 : 0
            } else if receiver.hasSYN {
                receiver.scale ?? 0
            } else {
                14
            }
        return UInt64(max(receiver.largest, 1)) << UInt64(scale)
    }

    /// Takes a reset if its receiver did; false for one that is forged, or late from an earlier connection.
    func takeReset(_ segment: TCPSegment, _ direction: Direction, time: Int64) -> Bool {
        guard reset == nil else { return false }
        // A SYN is refused by its own number (RFC 9293, section 3.10.7.3).
        let isRefusal = direction == .down && hasSYN && !hasAnswer && !down.hasStarted
        let isTaken =
            isRefusal
            ? segment.flags.contains(.ack) && up.covers(acknowledgement: segment.acknowledgement)
            : withFlow(direction) { $0.admitsReset(segment.sequence, window: window(for: direction)) }
        guard isTaken else { return false }
        let end = segment.sequence &+ UInt32(truncatingIfNeeded: segment.length)
        reset = Reset(side: direction.source, sequence: end, time: time)
        return true
    }

    /// A reset whose sender goes on behind it was not that side's.
    func withdrawReset(after segment: TCPSegment, _ direction: Direction) {
        guard let reset, reset.side == direction.source, !segment.flags.contains(.rst) else { return }
        let count = UInt32(truncatingIfNeeded: segment.length) &+ (segment.flags.contains(.fin) ? 1 : 0)
        guard count > 0, Int32(bitPattern: segment.sequence &+ count &- reset.sequence) > 0 else { return }
        self.reset = nil
    }

    // MARK: End

    /// The reason of the end, from the FINs and the reset.
    func reason() -> String? {
        if up.hasEnded, down.hasEnded { return firstToEnd.map { $0 == .client ? "client_closed" : "upstream_closed" } }
        guard let side = reset?.side else { return nil }
        if side == .upstream, hasSYN, !hasAnswer { return "connect_refused" }
        return side == .client ? "client_reset" : "upstream_reset"
    }

    /// A FIN has come in its turn.
    func noteEnds() {
        guard firstToEnd == nil else { return }
        if up.hasEnded { firstToEnd = .client } else if down.hasEnded { firstToEnd = .upstream }
    }

    // MARK: What Tapline says about it

    func take(_ comment: RecordingComment) {
        summary.isTaplines = true
        summary.id = comment.id
        summary.relay = comment.relay ?? summary.relay
        summary.client = comment.client ?? summary.client
        summary.listener = comment.listener ?? summary.listener
        summary.upstream = comment.upstream ?? summary.upstream
        summary.upstreamAddress = comment.upstreamAddress ?? summary.upstreamAddress
        switch comment.kind {
        case .ended:
            summary.reason = comment.reason
            summary.up.counted = comment.bytesUp
            summary.down.counted = comment.bytesDown
        case .stopped:
            summary.up.counted = comment.bytesUp
            summary.down.counted = comment.bytesDown
        case .opened, .connected, .joined, .continued, .gap: break
        }
    }
}
