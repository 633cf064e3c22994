internal import Configuration
internal import EventLoop
internal import Logging
internal import Sockets
internal import TLS
internal import Text

/// Speaks the TLS handshake on one leg: with the client as its server, or with the upstream as its client.
final class TLSHandshake: Stage {
    let side: Side
    private let limit: UInt64
    private let makeSession: (CInt, [UInt8], StageContext) -> TLSSession?
    private let refusesTruncation: Bool
    private var awaited: Poll.Events
    /// When the handshake began, by the monotonic clock.
    private var began: UInt64 = 0
    /// Counts the handshake while it is in progress.
    private var wave: HandshakeWave?

    private init(
        side: Side, limit: UInt64, refusesTruncation: Bool,
        makeSession: @escaping (CInt, [UInt8], StageContext) -> TLSSession?
    ) {
        self.side = side
        self.limit = limit
        self.refusesTruncation = refusesTruncation
        self.makeSession = makeSession
        // The client speaks first.
        awaited = side == .client ? .readable : .writable
    }

    deinit { wave?.ended() }

    /// The handshake with a client.
    convenience init(_ settings: TLSSettings, _ context: TLSServerContext) {
        self.init(
            side: .client, limit: settings.session.handshake.millisecondsRoundedUp,
            refusesTruncation: settings.session.truncation == .reset
        ) { fd, received, _ in TLSSession(context, fd: fd, received: received) }
    }

    /// The handshake with the upstream.
    convenience init(_ settings: UpstreamTLSSettings, _ context: TLSClientContext) {
        let configuredName = settings.serverName
        self.init(
            side: .upstream, limit: settings.session.handshake.millisecondsRoundedUp,
            refusesTruncation: settings.session.truncation == .reset
        ) { fd, _, stages in
            let endpoint = stages.destination.endpoint
            let name = configuredName ?? endpoint?.hostName ?? endpoint?.addressText ?? ""
            return TLSSession(
                context, to: name, isAddress: configuredName == nil && endpoint?.hostName == nil,
                peer: stages.destination.text, fd: fd)
        }
    }

    var waitsFor: LiveConnection.Wait { side == .client ? .clientHandshake : .upstreamHandshake }
    var deadline: StageDeadline? { StageDeadline(limit: limit, reason: .tlsHandshakeTimeout) }

    func run(on leg: Leg, _ context: StageContext) -> StageOutcome {
        guard let session = leg.session ?? begin(on: leg, context) else {
            context.logger.error(
                "a TLS session cannot be made: no memory, or no name to check",
                metadata: ["connection": "\(context.id)"])
            return .end(.refused(.internalError))
        }
        // The socket stays ready, and epoll reports it again: a stage that reads a hello leaves its last piece there.
        guard context.mayTakeHandshakeStep() else { return .wait(awaited) }
        switch session.handshake() {
        case .done:
            context.tls?.established(session, on: side, began: began, acceptedTicks: context.acceptedTicks)
            leg.sessionBegan()
            return .done
        case .wantsRead:
            awaited = .readable
            return .wait(awaited)
        case .wantsWrite:
            awaited = .writable
            return .wait(awaited)
        case .failed(let error):
            return .end(.legFailed(error))
        case .refused(let failure):
            return refuse(failure, session, leg, context)
        }
    }

    private static let answerToHTTP: [UInt8] = {
        let text = "This port speaks TLS: use https://\n"
        let head = [
            "HTTP/1.1 400 Bad Request", "Content-Type: text/plain", "Content-Length: \(text.utf8.count)",
            "Connection: close",
        ]
        return Array((head.joined(separator: "\r\n") + "\r\n\r\n" + text).utf8)
    }()

    private func begin(on leg: Leg, _ context: StageContext) -> TLSSession? {
        let session = leg.beginSession { fd, received in makeSession(fd, received, context) }
        began = EventLoop.nanoseconds
        if session != nil, wave == nil {
            wave = context.handshakeWave
            wave?.began()
        }
        session?.refusesTruncation = refusesTruncation
        context.beginTLS()
        return session
    }

    private func refuse(
        _ failure: TLSFailure, _ session: TLSSession, _ leg: Leg, _ context: StageContext
    ) -> StageOutcome {
        leg.dropSession()
        // Closed without sending anything, e.g. by a port scan or a TCP health check.
        if side == .client, failure.cause == .endedInHandshake, !session.hasRead { return .end(.ended) }
        context.note(failure, on: side, of: session)
        context.tls?.noteName(in: session, on: side)
        context.logger.debug(
            "TLS handshake failed",
            metadata: [
                "connection": "\(context.id)", "relay": "\(context.relay.name)", "client": "\(context.clientAddress)",
                "side": "\(side)", "fault": "\(failure)",
            ])
        let reason = EndReason(handshake: failure)
        guard side == .client else {
            context.explainToPostgres()
            return .end(.unreachable(DialFailure(reason: reason, errno: nil, address: nil)))
        }
        // No byte was answered, so that the client can read HTTP.
        if case .notTLS(let opening) = failure.cause, opening.kind == .httpRequest,
            context.relay.settings.tls?.session.startTLS == nil
        {
            context.lastWords = Self.answerToHTTP
            return .end(.refusedInWords(reason))
        }
        // The client reads the alert before its connection is closed.
        return .end(failure.sentAlert == nil ? .refused(reason) : .refusedInWords(reason))
    }
}

extension EndReason {
    /// The reason for a handshake that has failed.
    init(handshake failure: TLSFailure) {
        self = failure.isOfCertificate ? .tlsCertificateRefused : .tlsHandshakeFailed
    }

    /// The reason for a session that has failed after its handshake. With TLS 1.3 the server refuses a client's certificate
    /// only then.
    init(session failure: TLSFailure) {
        switch failure.cause {
        case .truncated: self = .tlsTruncated
        default: self = failure.isOfCertificate ? .tlsCertificateRefused : .tlsFailed
        }
    }
}

extension Endpoint {
    /// The IP address, without a port and a zone; nil for a name and a Unix socket.
    fileprivate var addressText: String? {
        switch self {
        case .address(.ipv4(let address, _)): "\(address)"
        case .address(.ipv6(let address, _, _)): "\(address)"
        case .linkLocal(let address, _, _): "\(address)"
        case .address(.unix), .name: nil
        }
    }
}
