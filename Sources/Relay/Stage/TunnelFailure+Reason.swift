internal import Glibc
internal import Sockets
internal import Tunnel

extension TunnelFailure {
    /// The reply for an end reason that has one (`EndReason.hasReply`).
    init(_ reason: EndReason, _ errno: Errno?, of context: StageContext) {
        let target = context.destination.text
        // What is dialled: the code of the reply is about the destination, so a failed proxy has none of its own.
        let proxy = context.relay.proxy
        let dialled = proxy.map { "The upstream proxy \($0.text)" } ?? target
        func code(_ code: Code) -> Code { proxy == nil ? code : .general }
        let cause = errno.map { " (\($0.name))" } ?? ""
        switch reason {
        case .requestInvalid:
            self.init(context.request?.fault ?? .malformedSocks)
        case .requestTimeout:
            self.init(.general, status: 408, text: "The request was not complete in time")
        case .destinationRefused:
            self.init(.notAllowed, status: 403, text: "The destination \(target) is not allowed (requested.allow)")
        case .loop:
            self.init(
                code(.notAllowed), status: 403,
                text: "\(proxy == nil ? "The destination \(target)" : dialled) is one of Tapline's own listeners")
        case .connectRefused:
            self.init(code(.refused), status: 502, text: "\(dialled) refused the connection\(cause)")
        case .upstreamProxyFailed:
            let fault = context.upstreamProxyFault ?? "failed"
            self.init(.general, status: 502, text: "\(dialled) did not connect to \(target): it \(fault)")
        case .connectTimeout, .upstreamTimedOut:
            self.init(code(.timedOut), status: 504, text: "\(dialled) did not answer in time\(cause)")
        case .connectUnreachable:
            let isNetwork = errno?.code == ENETUNREACH || errno?.code == EAFNOSUPPORT
            self.init(
                code(isNetwork ? .networkUnreachable : .hostUnreachable), status: 502,
                text: "\(dialled) cannot be reached\(cause)")
        case .nameNotFound:
            self.init(code(.hostUnreachable), status: 502, text: "The name in \(proxy?.text ?? target) does not exist")
        case .nameLookupFailed:
            self.init(.general, status: 502, text: "The name in \(proxy?.text ?? target) could not be resolved")
        case .tlsHandshakeFailed, .tlsCertificateRefused, .tlsHandshakeTimeout:
            self.init(.general, status: 502, text: "The TLS handshake with \(dialled) failed")
        case .upstreamReset, .upstreamClosed:
            self.init(.general, status: 502, text: "\(dialled) closed the connection\(cause)")
        case .noLocalPort, .overLimit:
            self.init(.general, status: 503, text: "A system limit was reached\(cause)")
        default:
            self.init(.general, status: 500, text: "An internal error in Tapline\(cause)")
        }
    }
}
