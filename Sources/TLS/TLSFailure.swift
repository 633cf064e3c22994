/// Why a handshake, or a session after it, has failed. A value; any thread.
public struct TLSFailure: Error, Hashable, Sendable {
    /// The cause.
    public enum Cause: Hashable, Sendable {
        /// The peer has sent a fatal alert.
        case alert(TLSAlert)
        /// The peer's certificate was refused.
        case certificate(CertificateProblem)
        /// A certificate is required, and the peer has sent none.
        case certificateMissing
        /// The peer's first bytes are not TLS.
        case notTLS(PlainOpening)
        /// The client offers application protocols (ALPN), printable, and none that the server allows.
        case application(offered: String)
        /// The peer's bytes break its rules, or no common parameters exist: OpenSSL's words.
        case protocolError(String)
        /// After the handshake, the peer has sent a record or a message that is not valid: OpenSSL's words.
        case invalidRecord(String)
        /// No certificate can have the server name that the client has sent: the name, printable.
        case serverName(String)
        /// TLS was not agreed on before the handshake (STARTTLS): a clause whose subject is the peer.
        case startTLS(String)
        /// The peer ended its stream during the handshake.
        case endedInHandshake
        /// The peer ended its stream without close_notify, and `truncation: reset` is set.
        case truncated
        /// The peer has sent more KeyUpdate messages than a session accepts.
        case tooManyKeyUpdates
    }

    /// The cause.
    public let cause: Cause
    /// The alert that the peer was sent; nil if there was none.
    public let sentAlert: TLSAlert?

    /// A failure.
    public init(_ cause: Cause, sentAlert: TLSAlert? = nil) {
        self.cause = cause
        self.sentAlert = sentAlert
    }

    /// Whether a certificate was refused, by Tapline or by the peer.
    public var isOfCertificate: Bool {
        switch cause {
        case .certificate, .certificateMissing: true
        case .alert(let alert): alert.refusesCertificate
        case .notTLS, .application, .protocolError, .invalidRecord, .serverName, .startTLS, .endedInHandshake,
            .truncated, .tooManyKeyUpdates:
            false
        }
    }

    /// Whether the peer refused, and not Tapline.
    public var isByPeer: Bool {
        switch cause {
        case .alert, .endedInHandshake, .truncated: true
        case .certificate, .certificateMissing, .notTLS, .application, .protocolError, .invalidRecord, .serverName,
            .startTLS, .tooManyKeyUpdates:
            false
        }
    }
}

extension TLSFailure: CustomStringConvertible {
    /// A clause whose subject is the peer, without a full stop: `sent the alert unknown_ca`.
    public var description: String {
        let text =
            switch cause {
            case .alert(let alert): "sent the alert \(alert)"
            case .certificate(let problem): "\(problem)"
            case .certificateMissing: "sent no certificate, and one is required"
            case .notTLS(let opening): "cannot speak TLS with Tapline: \(opening)"
            case .application(let offered):
                "cannot speak TLS with Tapline: no application protocol in common; it offered \(offered)"
            case .protocolError(let reason): "cannot speak TLS with Tapline: \(reason)"
            case .invalidRecord(let reason): "sent an invalid TLS record: \(reason)"
            case .serverName(let name): "sent the server name `\(name)`, which no certificate can have"
            case .startTLS(let clause): clause
            case .endedInHandshake: "ended its stream during the handshake"
            case .truncated: "ended its stream without close_notify"
            case .tooManyKeyUpdates: "sent too many KeyUpdate or renegotiation messages"
            }
        return sentAlert.map { "\(text) (alert sent: \($0))" } ?? text
    }
}

/// What is wrong with a peer's certificate: what was presented, what was required, and since when.
public struct CertificateProblem: Hashable, Sendable, CustomStringConvertible {
    /// What a short message needs.
    public enum Kind: Hashable, Sendable {
        /// No authority of this name is trusted; nil: the certificate has signed itself.
        case untrusted(issuer: String?)
        /// It is for other names than this one.
        case name(String)
        /// Another problem.
        case other
    }

    /// What is wrong, in OpenSSL's words or Tapline's: `certificate has expired`.
    public let reason: String
    /// The peer's own certificate; nil if it could not be read.
    public let presented: TLSCertificate?
    /// The position in the chain of the certificate at fault: 0 for the peer's own, and higher towards the root.
    public let depth: Int
    /// The name of the certificate at fault; nil if that is the peer's own.
    public let authority: String?
    /// What was required, such as a name; nil if the reason says it.
    public let required: String?
    /// What kind of problem it is.
    public let kind: Kind
    /// Since when it has been so, as an RFC 3339 date; nil if that does not apply.
    public let since: String?

    /// Describes a refused certificate.
    public init(
        reason: String, presented: TLSCertificate?, depth: Int = 0, authority: String? = nil, required: String? = nil,
        since: String? = nil, kind: Kind = .other
    ) {
        self.kind = kind
        self.reason = reason
        self.presented = presented
        self.depth = depth
        self.authority = authority
        self.required = required
        self.since = since
    }

    /// A clause whose subject is the peer.
    public var description: String {
        var text = "presented a certificate that is refused: \(reason)"
        if let since { text += " since \(since)" }
        if let authority, !reason.contains(authority) { text += " (the authority \(authority))" }
        if let presented { text += "; presented: \(presented)" }
        if let required { text += "; required: \(required)" }
        return text
    }
}
