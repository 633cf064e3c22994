internal import Glibc
internal import Sockets
internal import Tunnel

extension TunnelFailure {
    /// The reply for an end reason that has one (`EndReason.hasReply`).
    init(_ reason: EndReason, _ errno: Errno?, of context: StageContext) {
        let target = context.destination.text
        let cause = errno.map { " (\($0.name))" } ?? ""
        switch reason {
        case .requestInvalid:
            self.init(context.request?.fault ?? .malformedSocks)
        case .requestTimeout:
            self.init(.general, status: 408, text: "The request was not complete in time")
        case .destinationRefused:
            self.init(.notAllowed, status: 403, text: "The destination \(target) is not allowed (requested.allow)")
        case .loop:
            self.init(.notAllowed, status: 403, text: "The destination \(target) is one of Tapline's own listeners")
        case .connectRefused:
            self.init(.refused, status: 502, text: "\(target) refused the connection\(cause)")
        case .upstreamProxyFailed:
            let fault = context.upstreamProxyFault ?? "failed"
            self.init(.general, status: 502, text: "The upstream proxy did not connect to \(target): it \(fault)")
        case .connectTimeout, .upstreamTimedOut:
            self.init(.timedOut, status: 504, text: "\(target) did not answer in time\(cause)")
        case .connectUnreachable:
            let isNetwork = errno?.code == ENETUNREACH || errno?.code == EAFNOSUPPORT
            self.init(
                isNetwork ? .networkUnreachable : .hostUnreachable, status: 502,
                text: "\(target) cannot be reached\(cause)")
        case .nameNotFound:
            self.init(.hostUnreachable, status: 502, text: "The name in \(target) does not exist")
        case .nameLookupFailed:
            self.init(.general, status: 502, text: "The name in \(target) could not be looked up")
        case .tlsHandshakeFailed, .tlsCertificateRefused, .tlsHandshakeTimeout:
            self.init(.general, status: 502, text: "The TLS handshake with \(target) failed")
        case .upstreamReset, .upstreamClosed:
            self.init(.general, status: 502, text: "\(target) closed the connection\(cause)")
        case .noLocalPort, .overLimit:
            self.init(.general, status: 503, text: "A limit of this machine was reached\(cause)")
        default:
            self.init(.general, status: 500, text: "An error inside Tapline\(cause)")
        }
    }
}
