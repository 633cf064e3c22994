internal import EventLoop
internal import Sockets

/// Tells the client that its request has failed, ends Tapline's half (FIN), and discards what the client still sends until
/// the client ends its half. Closing before that would answer the client's bytes with a reset, which discards the reply at
/// the client.
final class FailureReply: Stage {
    /// How long a client may take to read the reply and to close, milliseconds.
    static let limit: UInt64 = 5000

    /// The end reason of the connection.
    private let reason: EndReason
    /// What the client's socket has not taken yet.
    private var unsent: ArraySlice<UInt8>
    private var hasEnded = false

    init(_ reply: [UInt8], reason: EndReason) {
        self.reason = reason
        unsent = reply[...]
    }

    var side: Side { .client }
    var waitsFor: LiveConnection.Wait { .reply }
    var deadline: StageDeadline? { StageDeadline(limit: Self.limit, reason: reason) }

    func run(on leg: Leg, _ context: StageContext) -> StageOutcome {
        if let outcome = leg.send(all: &unsent) { return outcome }
        if !hasEnded {
            guard leg.endSession() else { return .wait(.writable) }
            hasEnded = true
            leg.endWriting()
        }
        // A fast sender must not keep the loop: the rest is read in the next turn.
        for _ in 0..<16 {
            switch leg.receive(into: context.scratch, limit: context.scratch.capacity) {
            case .moved(let count): context.request?.discarded &+= count
            case .wouldBlock: return .wait(.readable)
            case .endOfStream: return .done
            case .failed(let error): return .end(.legFailed(error))
            }
        }
        return .wait(.readable)
    }
}
