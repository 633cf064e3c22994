internal import EventLoop
internal import Recording
internal import Sockets
internal import TLS

/// The TLS sessions of one connection, as far as they were negotiated. A value; the stages' context has it.
struct TLSOutcome {
    private var client = SessionFacts.Session()
    private var upstream = SessionFacts.Session()
    private var fault: SessionFacts.Fault?
    /// For recordings: the sessions that were established.
    private(set) var sessions: [ConversationSecurity] = []

    /// The handshake on a leg is complete. It began at `began`, and the client was accepted at `acceptedTicks`, by the
    /// monotonic clock.
    mutating func established(_ session: TLSSession, on side: Side, began: UInt64, acceptedTicks: UInt64) {
        let facts = SessionFacts.Session(
            parameters: session.parameters, peer: session.peerCertificate?.identity, application: session.application)
        if side == .client { client = facts } else { upstream = facts }
        sessions.removeAll { $0.side == side }
        sessions.append(
            ConversationSecurity(
                side: side, beganAfter: Monotonic.elapsed(from: acceptedTicks, to: began) / 1000,
                took: Monotonic.elapsed(from: began, to: EventLoop.nanoseconds) / 1000,
                parameters: session.parameters, application: session.application, serverName: session.serverName,
                peer: facts.peer))
    }

    /// The first fault counts.
    mutating func note(_ fault: SessionFacts.Fault) {
        self.fault = self.fault ?? fault
    }

    /// The facts for the record. `truncated`: the sides whose streams ended without close_notify.
    func facts(truncated: [Side]) -> SessionFacts {
        let cut = truncated.first.map { SessionFacts.Fault(side: $0, text: "\(TLSFailure(.truncated))") }
        return SessionFacts(client: client, upstream: upstream, fault: fault ?? cut)
    }
}

/// What TLS adds to a connection's record. Immutable; a reference, so that records of other connections stay small. Any
/// thread.
///
/// Texts from peers are printable ASCII of bounded length.
public final class SessionFacts: Hashable, Sendable {
    /// One side's session.
    public struct Session: Hashable, Sendable {
        /// The version and the cipher suite, such as `TLSv1.3 TLS_AES_128_GCM_SHA256`; nil without a session.
        public var parameters: String?
        /// The identity in the peer's certificate; nil without one.
        public var peer: String?
        /// The application protocol that was negotiated; nil without one.
        public var application: String?

        /// A session.
        public init(parameters: String? = nil, peer: String? = nil, application: String? = nil) {
            self.parameters = parameters
            self.peer = peer
            self.application = application
        }
    }

    /// The session with the client.
    public let client: Session
    /// The session with the upstream.
    public let upstream: Session
    /// Why a handshake or a session has failed, or that a stream ended without close_notify; nil without a fault.
    public let fault: Fault?

    /// Facts known so far.
    public init(client: Session = Session(), upstream: Session = Session(), fault: Fault? = nil) {
        self.client = client
        self.upstream = upstream
        self.fault = fault
    }

    /// Equal if every fact is.
    public static func == (left: SessionFacts, right: SessionFacts) -> Bool {
        left === right || (left.client, left.upstream) == (right.client, right.upstream) && left.fault == right.fault
    }

    /// Hashes every fact.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(client)
        hasher.combine(upstream)
        hasher.combine(fault)
    }
}
