internal import Configuration
internal import Sockets
internal import Text

extension EndReason {
    /// How far an end is what the programs wanted.
    public enum Outcome: Hashable, Sendable {
        /// Both halves ended in order.
        case orderly
        /// A person or a service manager ended it: `kill`, or stopping Tapline.
        case requested
        /// Any other end.
        case failed
    }

    /// How far this end is what the programs wanted.
    public var outcome: Outcome {
        switch self {
        case .clientClosed, .upstreamClosed: .orderly
        case .killed, .drained: .requested
        case .clientReset, .clientTimedOut, .upstreamReset, .upstreamTimedOut, .connectRefused, .connectTimeout,
            .connectUnreachable, .nameNotFound, .nameLookupFailed, .noLocalPort, .loop, .idleTimeout,
            .halfCloseTimeout, .lifetime, .denied, .proxyUntrusted, .proxyHeaderInvalid, .proxyHeaderTimeout,
            .destinationRefused, .tlsNotRouted, .tlsHelloTimeout, .requestInvalid, .requestTimeout,
            .upstreamProxyFailed, .tlsHandshakeFailed, .tlsCertificateRefused, .tlsHandshakeTimeout, .tlsTruncated,
            .tlsFailed, .overLimit, .internalError:
            .failed
        }
    }
}

extension ConnectionRecord {
    /// Why the connection did not end in order, as one short sentence without a full stop; nil while it is open, and after
    /// an orderly end. `tapline why` has the whole story.
    public var failureSentence: String? {
        guard let end else { return nil }
        let code = end.errno.map { " (\($0.name))" } ?? ""
        let wasConnected = connectDuration != nil
        switch end.reason {
        case .clientClosed, .upstreamClosed: return nil
        case .clientReset:
            if wasConnected { return "the client reset the connection" }
            return switch earlyReset {
            case .inHandshake: "the client reset the connection during the TLS handshake"
            case .beforeConnecting: "the client reset the connection before it sent what the relay needs first"
            case nil: "the client gave up before Tapline had connected to \(target)"
            }
        case .clientTimedOut: return "the client stopped answering"
        case .upstreamReset: return "\(target) reset the connection"
        case .upstreamTimedOut: return "\(target) stopped answering"
        case .connectRefused: return "\(target) refused the connection: \(nothingListens)"
        case .connectTimeout: return "\(target) did not answer within the connect timeout"
        case .connectUnreachable: return "\(target) cannot be reached\(code)"
        case .nameNotFound: return "the name \(host) does not exist"
        case .nameLookupFailed: return "the name \(host) cannot be resolved: the name server failed or did not answer"
        case .noLocalPort: return "no local port is free to connect to \(target)"
        case .loop: return "\(target) is one of Tapline's own listeners, so the connection would loop"
        case .idleTimeout: return backlogSentence ?? "no bytes passed within the idle timeout"
        case .halfCloseTimeout:
            return "one side closed, and the other did not within the half-close timeout" + backlogClause
        case .lifetime: return "the connection reached its maximum lifetime" + backlogClause
        case .killed: return "killed by request"
        case .drained: return "still open when Tapline stopped" + backlogClause
        case .denied: return "the client was refused"
        case .proxyUntrusted: return "the client may not send a PROXY header, and this relay requires one"
        case .proxyHeaderInvalid: return "the client's first bytes are not a valid PROXY header"
        case .proxyHeaderTimeout: return "the client sent no complete PROXY header in time"
        case .destinationRefused:
            return request == nil
                ? "the original destination of the client was refused" : "\(target) is not in requested.allow"
        case .tlsNotRouted: return "no route matches the client's TLS server name"
        case .tlsHelloTimeout: return "the client sent no complete TLS ClientHello in time"
        case .requestInvalid: return "the client's request \(request?.fault ?? "is invalid or not supported")"
        case .requestTimeout: return "the client sent no complete request in time"
        case .upstreamProxyFailed:
            let reply = upstreamProxy?.fault.map { ": it \($0)" } ?? ""
            return "the upstream proxy did not connect to \(upstream)\(reply)"
        case .tlsHandshakeFailed: return "the TLS handshake failed: \(sessionFault)"
        case .tlsCertificateRefused:
            let isTaplines = sessions?.fault?.refusal == .byTapline
            let who = isTaplines ? "Tapline refused a TLS certificate" : "a TLS certificate was refused"
            return certificateSentence ?? "\(who): \(sessionFault)"
        case .tlsHandshakeTimeout: return "a TLS handshake was not complete in time"
        case .tlsTruncated, .tlsFailed: return "the TLS session failed: \(sessionFault)"
        case .overLimit: return "a system limit was reached\(code)"
        case .internalError: return "an internal error in Tapline\(code); the log has the details"
        }
    }

    /// When a client reset a connection for which Tapline had not tried to connect an upstream.
    public enum EarlyReset: Hashable, Sendable {
        /// TLS was agreed on, or its handshake was in progress.
        case inHandshake
        /// Something else that the relay needs first was awaited, such as a PROXY header.
        case beforeConnecting
    }

    /// Nil if Tapline had tried to connect an upstream.
    public var earlyReset: EarlyReset? {
        guard attempts == 0, upstreamAddress == nil else { return nil }
        return sessions != nil && sessions?.client.parameters == nil ? .inHandshake : .beforeConnecting
    }

    /// Which side did not read, and what waited for it; nil if none did.
    private var backlogSentence: String? {
        guard let backlog else { return nil }
        let side = backlog.side == .client ? "the client" : target
        return "\(side) stopped reading \(DurationText.short(milliseconds: backlog.milliseconds)) before the end; "
            + "\(SizeText.short(backlog.bytes)) were waiting for it"
    }

    /// Whose session has failed, and why.
    private var sessionFault: String {
        guard let fault = sessions?.fault else { return "no reason is known" }
        return "\(fault.side == .client ? "the client" : target) \(fault.text)"
    }

    /// Why a certificate was refused, without what else is in it. The remedies are options of `tapline forward`, which
    /// prints this. Nil: the fault says it.
    private var certificateSentence: String? {
        guard let fault = sessions?.fault, let remedy = fault.remedy else { return nil }
        let subject = fault.side == .client ? "the client" : target
        switch remedy {
        case .trust(let issuer):
            let what = issuer.map { "is issued by \($0), which is not trusted" } ?? "is self-signed and not trusted"
            return "\(subject): its certificate \(what)"
                + (fault.side == .upstream ? "; trust it with --tls-ca FILE" : "")
        case .serverName(let name, let presented):
            let names = presented.map { " for \($0)," } ?? ""
            return "\(subject): its certificate is\(names) not for \(name)"
                + (fault.side == .upstream ? "; name it with --tls-server-name NAME" : "")
        case .trustLocalAuthority:
            return "the client does not trust the local CA; tapline ca prints how to trust it"
        case .completeChain, .clientMayDistrust, .presentCertificate, .giveClientCertificate, .application, .validName,
            .useHTTPS, .startTLS, .readLog, .shareVersion:
            return nil
        }
    }

    private var backlogClause: String { backlogSentence.map { "; \($0)" } ?? "" }

    /// The upstream, its proxy while that is being connected, or the client's original destination.
    private var target: String {
        if connectDuration == nil, let upstreamProxy { return "the proxy \(upstreamProxy.proxy)" }
        guard upstream == UpstreamAddress.originalDestination.description else { return upstream }
        return upstreamAddress?.description ?? "the original destination"
    }

    private var host: String {
        let upstream = connectDuration == nil ? upstreamProxy?.proxy ?? upstream : upstream
        guard let colon = upstream.lastIndex(of: ":") else { return upstream }
        return String(upstream[..<colon])
    }

    private var nothingListens: String {
        guard let port = upstreamAddress?.port else { return "nothing is listening there" }
        return "nothing is listening on port \(port)"
    }
}
