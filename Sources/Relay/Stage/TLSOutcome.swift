internal import EventLoop
internal import Recording
internal import Sockets
internal import TLS

/// The TLS sessions of one connection, as far as they were negotiated. A value; the stages' context has it.
struct TLSOutcome {
    private var client = SessionFacts.Session()
    private var upstream = SessionFacts.Session()
    private var fault: SessionFacts.Fault?
    /// The server name that the client has sent, and the certificate that it got in place of one for that name.
    private var serverName: String?
    private var substitute: String?
    /// What the client did without that the relay requires, or asked for that it does not offer.
    var unmet: SessionFacts.Unmet?
    /// A side that closed in order, and was reset.
    var closedUnread: ClosedUnread?
    /// For recordings: the sessions that were established.
    private(set) var sessions: [ConversationSecurity] = []

    /// A side that was reset because it had not read what only TLS had sent.
    struct ClosedUnread {
        let side: Side
        /// It had ended its own stream before. Otherwise the end of the stream that its session saw was the reset's.
        let hasEnded: Bool
    }

    /// The handshake on a leg is complete. It began at `began`, and the client was accepted at `acceptedTicks`, by the
    /// monotonic clock.
    mutating func established(_ session: TLSSession, on side: Side, began: UInt64, acceptedTicks: UInt64) {
        let facts = SessionFacts.Session(
            parameters: session.parameters, peer: session.peerCertificate?.identity, application: session.application)
        if side == .client { client = facts } else { upstream = facts }
        noteName(in: session, on: side)
        sessions.removeAll { $0.side == side }
        sessions.append(
            ConversationSecurity(
                side: side, beganAfter: Monotonic.elapsed(from: acceptedTicks, to: began) / 1000,
                took: Monotonic.elapsed(from: began, to: EventLoop.nanoseconds) / 1000,
                parameters: session.parameters, application: session.application, serverName: session.serverName,
                peer: facts.peer))
    }

    /// The name in the client's hello, which may be known although its handshake has failed.
    mutating func noteName(in session: TLSSession, on side: Side) {
        guard side == .client else { return }
        serverName = session.serverName
        substitute = session.substitute
    }

    /// The first fault counts.
    mutating func note(_ fault: SessionFacts.Fault) {
        self.fault = self.fault ?? fault
    }

    /// The facts for the record. `truncated`: the sides whose streams ended without close_notify.
    func facts(truncated: [Side]) -> SessionFacts {
        let unproved = closedUnread.flatMap { $0.hasEnded ? nil : $0.side }
        let cut = truncated.first { $0 != unproved }.map {
            SessionFacts.Fault(side: $0, text: "\(TLSFailure(.truncated))")
        }
        return SessionFacts(
            client: client, upstream: upstream, fault: fault ?? cut, serverName: serverName, substitute: substitute,
            unmet: unmet, closedUnread: closedUnread?.side)
    }
}
