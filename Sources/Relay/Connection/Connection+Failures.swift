internal import EventLoop
internal import Sockets

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
}
