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
    /// Nothing of it is told of any more.
    var isOver = false
    /// Which of all segments was its last, to find who is idle.
    var heard: UInt64 = 0
    /// How many bytes it holds of its flows' beginnings.
    var prefixBytes: Int { summary.up.prefix.count + summary.down.prefix.count }

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

    /// Whether a SYN can be this conversation's, seen late or twice; otherwise the ports are used anew.
    func mayHave(_ segment: TCPSegment) -> Bool {
        guard !isOver else { return false }
        return withFlow(direction(of: segment)) { $0.mayStart(withSYN: segment.sequence) }
    }

    func takeSYN(_ segment: TCPSegment) {
        let direction = direction(of: segment)
        withFlow(direction) { $0.start(afterSYN: segment.sequence) }
        if direction == .up {
            hasSYN = true
            summary.hasStart = true
        } else {
            hasAnswer = true
        }
    }

    // MARK: End

    /// What the end of both flows, or a reset, means for who looks at it.
    func reason(afterResetBy side: Side?) -> String? {
        guard let side else {
            return firstToEnd.map { $0 == .client ? "client_closed" : "upstream_closed" }
        }
        if up.hasEnded, down.hasEnded { return reason(afterResetBy: nil) }
        if side == .upstream, hasSYN, !hasAnswer { return "connect_refused" }
        return side == .client ? "client_reset" : "upstream_reset"
    }

    /// A FIN has come in its turn.
    func noteEnds() {
        guard firstToEnd == nil else { return }
        if up.hasEnded { firstToEnd = .client } else if down.hasEnded { firstToEnd = .upstream }
    }

    // MARK: What Tapline says of it

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
