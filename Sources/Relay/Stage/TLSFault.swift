internal import Configuration
internal import Sockets
internal import TLS

extension SessionFacts {
    /// What to do about a fault. It is decided where the failure and the relay's settings are known; stories have the
    /// words.
    public enum Remedy: Hashable, Sendable {
        /// The peer's certificate leads to no trusted authority. `issuer`: nil for one that has signed itself.
        case trust(issuer: String?)
        /// The upstream's certificate is for other names (`presented`) than the one that is checked.
        case serverName(String, presented: String?)
        /// The client does not trust the local authority (`--tls-cert auto`).
        case trustLocalAuthority
        /// The client does not trust the issuer of the relay's certificate, or misses an intermediate one. `chain`: its
        /// file; nil if the relay has several.
        case completeChain(chain: String?, issuer: String?)
        /// The client has ended its stream, which may mean that it does not trust the certificate.
        case clientMayDistrust
        /// The upstream wants a certificate of the relay's.
        case presentCertificate
        /// The client has none to present.
        case giveClientCertificate
        /// No application protocol is both offered and allowed. Nil: not known.
        case application(offered: String?, allowed: String?)
        /// The client has asked for a name that no certificate can have.
        case validName
        /// The client speaks HTTP.
        case useHTTPS
        /// The peer begins TLS in the messages of its protocol: the value of `starttls`; nil if that is not known.
        case startTLS(String?)
        /// The peer has refused, and its own log says why.
        case readLog
        /// No version or no cipher suite in common, or broken messages.
        case shareVersion
    }
}

extension TLSOutcome {
    /// The first failure counts. `session`: nil if it has not begun.
    mutating func note(_ failure: TLSFailure, on side: Side, of session: TLSSession?, _ context: StageContext) {
        note(
            SessionFacts.Fault(
                side: side, text: "\(failure)", refusal: SessionFacts.Fault.Refusal(failure),
                remedy: SessionFacts.Remedy(failure, on: side, of: session, context)))
    }
}

extension SessionFacts.Remedy {
    /// Nil: there is no advice, or the failure says it.
    fileprivate init?(_ failure: TLSFailure, on side: Side, of session: TLSSession?, _ context: StageContext) {
        let settings = context.relay.settings
        switch failure.cause {
        case .alert(let alert) where alert == .noApplicationProtocol && side == .upstream:
            let offered = settings.upstreamTLS?.session.applications.joined(separator: ", ")
            self = .application(offered: offered, allowed: nil)
        case .alert(let alert) where alert.asksForCertificate && side == .upstream: self = .presentCertificate
        case .alert(let alert) where alert.distrusts && side == .client:
            if settings.tls?.authority != nil {
                self = .trustLocalAuthority
            } else {
                let certificates = settings.tls?.certificates ?? []
                self = .completeChain(
                    chain: certificates.count == 1 ? certificates[0].chain : nil,
                    issuer: session?.ownCertificate?.issuer)
            }
        case .alert(let alert) where alert == .protocolVersion || alert == .handshakeFailure: self = .shareVersion
        case .alert: self = .readLog
        case .certificate(let problem):
            switch problem.kind {
            case .untrusted(let issuer): self = .trust(issuer: issuer)
            case .name(let name):
                let names = (problem.presented.map { $0.dnsNames + $0.addresses } ?? []).prefix(3)
                self = .serverName(name, presented: names.isEmpty ? nil : names.joined(separator: ", "))
            case .other: return nil
            }
        case .certificateMissing: self = .giveClientCertificate
        case .application(let offered):
            self = .application(offered: offered, allowed: settings.tls?.session.applications.joined(separator: ", "))
        case .serverName: self = .validName
        case .notTLS(let opening):
            switch opening.kind {
            case .httpRequest where side == .client: self = .useHTTPS
            case .postgresRequest where side == .client: self = .startTLS("postgres")
            case .smtpGreeting where side == .upstream: self = .startTLS("smtp")
            case .imapGreeting where side == .upstream: self = .startTLS("imap")
            case .httpRequest, .postgresRequest, .smtpGreeting, .imapGreeting, nil: self = .shareVersion
            }
        case .endedInHandshake where side == .upstream: self = .startTLS(nil)
        case .endedInHandshake: self = .clientMayDistrust
        case .protocolError: self = .shareVersion
        case .startTLS, .invalidRecord, .truncated, .tooManyKeyUpdates: return nil
        }
    }
}
