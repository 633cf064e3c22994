public import Sockets
internal import TLS

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

    /// What went wrong with one side's session.
    public struct Fault: Hashable, Sendable {
        /// Who has refused a certificate.
        public enum Refusal: Hashable, Sendable {
            /// Tapline, the certificate of the fault's side, or that it sent none.
            case byTapline
            /// The fault's side, the certificate that Tapline presented.
            case byPeer
        }

        /// The side.
        public let side: Side
        /// A clause whose subject is that side: `sent the alert unknown_ca`.
        public let text: String
        /// Who has refused a certificate; nil if none was refused.
        public let refusal: Refusal?
        /// What to do about it; nil if that is not known.
        public let remedy: Remedy?

        /// A fault.
        public init(side: Side, text: String, refusal: Refusal? = nil, remedy: Remedy? = nil) {
            self.side = side
            self.text = text
            self.refusal = refusal
            self.remedy = remedy
        }
    }

    /// What a client needs that the relay does not offer, or does not do although the relay requires it. The client has then
    /// closed by itself.
    public enum Unmet: Hashable, Sendable {
        /// It asked for TLS as PostgreSQL's clients do, and the relay speaks TLS with its upstream only.
        case postgresTLS
        /// It sent commands of a mail protocol that were refused, because STARTTLS was not among them: the protocol, and
        /// the answer that it got.
        case mailWithoutTLS(protocolName: String, answer: String)
    }

    /// The session with the client.
    public let client: Session
    /// The session with the upstream.
    public let upstream: Session
    /// Why a handshake or a session has failed, or that a stream ended without close_notify; nil without a fault.
    public let fault: Fault?
    /// The server name that the client has sent; nil without one.
    public let serverName: String?
    /// The subject of the certificate that the client was sent because none has its server name; nil otherwise.
    public let substitute: String?
    /// Why the client has closed before its handshake; nil if that is not known.
    public let unmet: Unmet?
    /// A side that had everything and closed without reading the end of TLS, so that its kernel sent a reset; nil otherwise.
    public let closedUnread: Side?

    /// Facts known so far.
    public init(
        client: Session = Session(), upstream: Session = Session(), fault: Fault? = nil, serverName: String? = nil,
        substitute: String? = nil, unmet: Unmet? = nil, closedUnread: Side? = nil
    ) {
        self.client = client
        self.upstream = upstream
        self.fault = fault
        self.serverName = serverName
        self.substitute = substitute
        self.unmet = unmet
        self.closedUnread = closedUnread
    }

    /// Equal if every fact is.
    public static func == (left: SessionFacts, right: SessionFacts) -> Bool {
        left === right
            || (left.client, left.upstream) == (right.client, right.upstream) && left.fault == right.fault
                && (left.serverName, left.substitute) == (right.serverName, right.substitute)
                && left.unmet == right.unmet && left.closedUnread == right.closedUnread
    }

    /// Hashes the sessions, the fault and the name, which differ most.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(client)
        hasher.combine(upstream)
        hasher.combine(fault)
        hasher.combine(serverName)
    }
}

extension SessionFacts.Fault.Refusal {
    /// Nil if the failure is not about a certificate.
    init?(_ failure: TLSFailure) {
        guard failure.isOfCertificate else { return nil }
        self = failure.isByPeer ? .byPeer : .byTapline
    }
}
