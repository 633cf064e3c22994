/// The party that ended a connection.
public enum ClosedBy: String, CaseIterable, Hashable, Sendable {
    /// The accepted client, what it forwards to, or Tapline itself.
    case client, upstream, tapline
}

/// Why a connection ended: a closed list, used in logs, metrics, the API and recordings.
public enum EndReason: String, CaseIterable, Hashable, Sendable {
    // MARK: By the client
    /// The client closed first, and the connection shut down cleanly.
    case clientClosed = "client_closed"
    /// The client reset the connection.
    case clientReset = "client_reset"
    /// The client stopped answering.
    case clientTimedOut = "client_timed_out"

    // MARK: By the upstream
    /// The upstream closed first, and the connection shut down cleanly.
    case upstreamClosed = "upstream_closed"
    /// The upstream reset the connection.
    case upstreamReset = "upstream_reset"
    /// The upstream stopped answering.
    case upstreamTimedOut = "upstream_timed_out"
    /// The upstream refused the connection.
    case connectRefused = "connect_refused"
    /// The upstream proxy did not connect to the upstream.
    case upstreamProxyFailed = "upstream_proxy_failed"

    // MARK: By Tapline
    /// No address of the upstream answered within the connect timeout.
    case connectTimeout = "connect_timeout"
    /// There is no route to the upstream, or the network reported it as unreachable.
    case connectUnreachable = "connect_unreachable"
    /// The upstream's name does not exist.
    case nameNotFound = "name_not_found"
    /// The name service failed or did not answer.
    case nameLookupFailed = "name_lookup_failed"
    /// No local port was free to connect to the upstream's address.
    case noLocalPort = "no_local_port"
    /// The upstream's address is one of Tapline's own listeners.
    case loop
    /// No bytes passed in either direction within the idle timeout.
    case idleTimeout = "idle_timeout"
    /// One side closed, and the other did not within the half-close timeout.
    case halfCloseTimeout = "half_close_timeout"
    /// The connection reached its maximum lifetime.
    case lifetime
    /// It was killed through the admin API.
    case killed
    /// It was still open when the time for draining was up.
    case drained
    /// The client was refused.
    case denied
    /// The peer is not trusted to send a PROXY header, and the relay requires one.
    case proxyUntrusted = "proxy_untrusted"
    /// The first bytes are not a valid PROXY header.
    case proxyHeaderInvalid = "proxy_header_invalid"
    /// The PROXY header was not complete in time.
    case proxyHeaderTimeout = "proxy_header_timeout"
    /// A redirected client's original destination is unknown, is Tapline itself, or is not allowed; or the destination
    /// that a client requested is not allowed.
    case destinationRefused = "destination_refused"
    /// No route matches the client's TLS ClientHello, or it sent none, and the relay refuses such clients.
    case tlsNotRouted = "tls_not_routed"
    /// The client's TLS ClientHello, which selects the upstream, was not complete in time.
    case tlsHelloTimeout = "tls_hello_timeout"
    /// The client's request for a destination is invalid or not supported.
    case requestInvalid = "request_invalid"
    /// The client's request for a destination was not complete in time.
    case requestTimeout = "request_timeout"
    /// The TLS handshake with the client or with the upstream has failed.
    case tlsHandshakeFailed = "tls_handshake_failed"
    /// A certificate was refused, by Tapline or by the side that got it, or was missing.
    case tlsCertificateRefused = "tls_certificate_refused"
    /// A TLS handshake was not complete in time.
    case tlsHandshakeTimeout = "tls_handshake_timeout"
    /// A side ended its stream without close_notify, and `truncation: reset` is set.
    case tlsTruncated = "tls_truncated"
    /// A TLS session has failed after its handshake: an alert, or bytes that are not valid.
    case tlsFailed = "tls_failed"
    /// A system limit was reached.
    case overLimit = "over_limit"
    /// An internal error in Tapline; the log has the details.
    case internalError = "internal_error"

    /// Whether the upstream could not be connected, as opposed to the end of a connection.
    public var isOfConnecting: Bool {
        switch self {
        case .connectRefused, .connectTimeout, .connectUnreachable, .nameNotFound, .nameLookupFailed, .noLocalPort,
            .loop, .overLimit, .upstreamProxyFailed:
            true
        // Also on the client's leg, and then the upstream is not at fault.
        case .tlsHandshakeFailed, .tlsCertificateRefused, .tlsHandshakeTimeout:
            false
        case .clientClosed, .clientReset, .clientTimedOut, .upstreamClosed, .upstreamReset, .upstreamTimedOut,
            .idleTimeout, .halfCloseTimeout, .lifetime, .killed, .drained, .denied, .proxyUntrusted,
            .proxyHeaderInvalid, .proxyHeaderTimeout, .destinationRefused, .tlsNotRouted, .tlsHelloTimeout,
            .requestInvalid, .requestTimeout, .tlsTruncated, .tlsFailed, .internalError:
            false
        }
    }

    /// Whether a record names the side of the session that has failed as the one that closed.
    public var isOfSession: Bool {
        switch self {
        case .tlsHandshakeFailed, .tlsCertificateRefused, .tlsTruncated, .tlsFailed: true
        default: false
        }
    }

    /// Whether what the flows did explains the end: Tapline ended the connection, or a side no longer answered.
    var dependsOnFlows: Bool {
        closedBy == .tapline || self == .clientTimedOut || self == .upstreamTimedOut
    }

    /// The party that ended a connection with this reason; `ConnectionRecord.closedBy` has the side of a failed session.
    public var closedBy: ClosedBy {
        switch self {
        case .clientClosed, .clientReset, .clientTimedOut: .client
        case .upstreamClosed, .upstreamReset, .upstreamTimedOut, .connectRefused, .upstreamProxyFailed:
            .upstream
        case .connectTimeout, .connectUnreachable, .nameNotFound, .nameLookupFailed, .noLocalPort, .loop,
            .idleTimeout, .halfCloseTimeout, .lifetime, .killed, .drained, .denied, .proxyUntrusted,
            .proxyHeaderInvalid, .proxyHeaderTimeout, .destinationRefused, .tlsNotRouted, .tlsHelloTimeout,
            .requestInvalid, .requestTimeout, .tlsHandshakeFailed, .tlsCertificateRefused, .tlsHandshakeTimeout,
            .tlsTruncated, .tlsFailed, .overLimit, .internalError:
            .tapline
        }
    }

    /// Whether a client that has requested its destination gets a reply; otherwise Tapline, or its user, ends the
    /// connection at once.
    var hasReply: Bool {
        switch self {
        case .upstreamClosed, .upstreamReset, .upstreamTimedOut, .connectRefused, .connectTimeout, .connectUnreachable,
            .nameNotFound, .nameLookupFailed, .noLocalPort, .loop, .destinationRefused, .requestInvalid,
            .requestTimeout, .upstreamProxyFailed, .tlsHandshakeFailed, .tlsCertificateRefused, .tlsHandshakeTimeout,
            .overLimit, .internalError:
            true
        case .clientClosed, .clientReset, .clientTimedOut, .idleTimeout, .halfCloseTimeout, .lifetime, .killed,
            .drained, .denied, .proxyUntrusted, .proxyHeaderInvalid, .proxyHeaderTimeout, .tlsNotRouted,
            .tlsHelloTimeout, .tlsTruncated, .tlsFailed:
            false
        }
    }
}
