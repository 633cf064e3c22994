internal import EventLoop
internal import Sockets
internal import TLS

/// Legs whose socket or session has failed.
extension Connection {
    /// EPOLLERR: a leg's socket has an error.
    func socketFailed(_ leg: Leg) {
        if let error = leg.takeError() { fail(leg, error) } else { leg.countUnknownError() }
    }

    /// A leg has failed: it is watched no longer, and the state decides what that means.
    func fail(_ leg: Leg, _ error: Errno) {
        leg.hasFailed = true
        leg.rest()
        happened(failure(of: leg.side, error))
    }

    /// The event of a failed leg: its session's failure comes before the error of its socket.
    func failure(of side: Side, _ error: Errno) -> ConnectionState.Event {
        guard let reason = leg(side)?.sessionFailure(stages?.context) else { return .legFailed(side, error) }
        return .sessionFailed(side, reason)
    }

    /// Reads what a failed leg still holds: epoll does not report it.
    func finishReading(_ flow: Flow) {
        while flow.source.hasFailed && !flow.isSourceDone && flow.canMove && state.phase == .relaying {
            report(flow.move(sourceIsReadable: false), of: flow)
        }
    }

    // MARK: Resets that only TLS has caused

    /// The end of the stream to a side was passed on.
    func noteEnd(passedTo side: Side, _ context: StageContext) {
        context.encryptedLegs[side]?.endedWriting()
        if let ended = leg(side), let flow = flow(from: ended) { context.noteEnd(passedTo: side, after: flow.read) }
    }

    /// Whether a side that was reset has in truth closed in order: many programs close with TLS's own bytes unread (tickets, or
    /// the end of TLS, which plain TCP does not have), and their kernels then answer with a reset. Everything that the side
    /// sent has been delivered to the other leg.
    ///
    /// A reset that may have cut bytes stays a reset: every byte for the side must have been acknowledged but for the last two
    /// segments, with which a receiver may wait, and either the side has ended its own stream, or the other one has, and the
    /// side has sent nothing since that could be incomplete.
    func hasClosedUnread(_ side: Side, _ context: StageContext) -> Bool {
        guard state.hasBeenReset, let failed = leg(side), let other = leg(side.other), let toIt = flow(to: failed),
            let fromIt = flow(from: failed), context.session(with: side)?.failure == nil, toIt.discarded == 0,
            failed.hasDeliveredData(andFIN: context.hasEnded(to: side))
        else { return false }
        let hasEnded = failed.hasEndedInOrder || state.hadEnded(side)
        let otherHasEnded = state.hadEnded(side.other)
        if hasEnded {
            guard otherHasEnded || !other.hasUnread else { return false }
        } else {
            guard otherHasEnded, context.hasBeenSilent(side, sent: fromIt.read) else { return false }
        }
        context.tls?.closedUnread = TLSOutcome.ClosedUnread(side: side, hasEnded: hasEnded)
        return true
    }
}
