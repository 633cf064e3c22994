internal import EventLoop
internal import Sockets
internal import Tunnel

/// Tells the client that its requested destination is connected. What follows are the destination's bytes.
final class RequestReply: Stage {
    /// What the client's socket has not taken yet.
    private var unsent: ArraySlice<UInt8>

    init(_ context: StageContext) {
        unsent = (context.request?.form?.success ?? [])[...]
    }

    var side: Side { .client }
    /// The connection still counts as connecting.
    var waitsFor: LiveConnection.Wait { .connect }
    var deadline: StageDeadline? { nil }

    func run(on leg: Leg, _ context: StageContext) -> StageOutcome {
        let length = unsent.count
        let outcome = leg.send(all: &unsent)
        if unsent.count < length { context.request?.isAnswered = true }
        if let outcome { return outcome }
        return .done
    }
}
