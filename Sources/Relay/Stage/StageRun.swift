internal import EventLoop
internal import Sockets
internal import Tunnel

/// The progress of one connection through its stages. Owned by the connection, on the worker's thread.
final class StageRun {
    let context: StageContext
    private var plan: StagePlan
    private var remaining: ArraySlice<StagePlan.Make>
    /// The stage that is running or waiting.
    private(set) var current: (any Stage)?
    /// What the current stage waits for its leg to be ready for.
    private var awaited: Poll.Events = []
    /// The loop's clock when the current stage began: at accept, or when the previous stage was done.
    private(set) var since: UInt64
    /// How many stages are done.
    private var completed = 0

    init(_ plan: StagePlan, _ context: StageContext) {
        self.plan = plan
        self.context = context
        remaining = plan.preparing[...]
        since = context.now
    }

    /// Whether the client has just become known, and which upstream it is for: the last identifying stage is done.
    var hasJustIdentified: Bool { completed == plan.identifying }

    /// The upstream is connected: the stages of the greeting follow.
    func beginGreeting() {
        remaining = plan.greeting[...]
        since = context.now
    }

    /// A reload has changed the settings of a held client's relay: its destination is chosen again, from what earlier
    /// stages have found. Returns whether it has one.
    func takeUpstream(of settings: RelayRuntime) -> Bool {
        plan = settings.stages
        context.relay = settings
        // A client that has requested its destination, or was redirected, has its own.
        guard settings.requested == nil, settings.interception == nil else { return true }
        context.destination = settings.destination
        guard let routes = plan.routes, let facts = context.hello else { return true }
        let route = context.clientHello.flatMap(routes.route)
        context.hello = TLSFacts(facts, route: route)
        guard let route else { return !routes.refusesOthers }
        context.destination = route.destination
        return true
    }

    /// The connection ends for this reason, and its client expects a reply to its request.
    func beginRefusing(_ reason: EndReason, _ errno: Errno?) {
        let reply =
            context.lastWords ?? context.request?.form?.failure(TunnelFailure(reason, errno, of: context)) ?? []
        current = FailureReply(reply, reason: reason)
        remaining = []
        awaited = []
        since = context.now
    }

    /// Runs the current stage, or the next one. Nil when no stage of the phase is left. A stage on the upstream's leg is a
    /// greeting stage.
    func step(_ leg: (Side) -> Leg?) -> StageOutcome? {
        if current == nil {
            guard let make = remaining.popFirst() else { return nil }
            current = make(context)
        }
        guard let stage = current else { return nil }
        guard let leg = leg(stage.side) else { preconditionFailure("StageRun: a stage without its leg") }
        let outcome = stage.run(on: leg, context)
        switch outcome {
        case .wait(let events):
            awaited = events
        case .done:
            current = nil
            awaited = []
            completed += 1
            since = context.now
        case .end:
            break
        }
        return outcome
    }

    /// What a leg is watched for.
    func awaited(on side: Side) -> Poll.Events {
        current?.side == side ? awaited : []
    }
}
