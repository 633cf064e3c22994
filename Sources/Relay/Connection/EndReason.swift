/// Who ended a connection.
public enum ClosedBy: String, CaseIterable, Hashable, Sendable {
    /// The accepted client, what it forwards to, or Tapline itself.
    case client, upstream, tapline
}

/// Why a connection ended: a closed list, used in logs, metrics, the API and recordings.
public enum EndReason: String, CaseIterable, Hashable, Sendable {
    // MARK: By the client
    /// The client ended its half first, and both halves ended.
    case clientClosed = "client_closed"
    /// The client reset the connection.
    case clientReset = "client_reset"
    /// The client no longer answers.
    case clientTimedOut = "client_timed_out"

    // MARK: By the upstream
    /// The upstream ended its half first, and both halves ended.
    case upstreamClosed = "upstream_closed"
    /// The upstream reset the connection.
    case upstreamReset = "upstream_reset"
    /// The upstream no longer answers.
    case upstreamTimedOut = "upstream_timed_out"
    /// The upstream refused the connection.
    case connectRefused = "connect_refused"

    // MARK: By Tapline
    /// The connect timeout passed before any address answered.
    case connectTimeout = "connect_timeout"
    /// No route to the upstream, or the network said that it cannot be reached.
    case connectUnreachable = "connect_unreachable"
    /// The upstream's name does not exist.
    case nameNotFound = "name_not_found"
    /// The name service could not answer.
    case nameLookupFailed = "name_lookup_failed"
    /// No local port is left for the upstream's address.
    case noLocalPort = "no_local_port"
    /// The upstream's address is one of Tapline's own listeners.
    case loop
    /// No byte passed either way for the idle timeout.
    case idleTimeout = "idle_timeout"
    /// One side had ended and the other did not within the half-close timeout.
    case halfCloseTimeout = "half_close_timeout"
    /// The connection reached its greatest age.
    case lifetime
    /// Somebody ended it through the admin API.
    case killed
    /// It was still open when the drain's bound passed.
    case drained
    /// It was not allowed.
    case denied
    /// Whoever connected may send no PROXY header, and the relay takes nobody without one.
    case proxyUntrusted = "proxy_untrusted"
    /// What came first is no PROXY header.
    case proxyHeaderInvalid = "proxy_header_invalid"
    /// The PROXY header was not complete in time.
    case proxyHeaderTimeout = "proxy_header_timeout"
    /// Where a redirected client wanted to go is unknown, is Tapline itself, or is not allowed.
    case destinationRefused = "destination_refused"
    /// No route takes what the client's TLS ClientHello asks for, or it is none, and the relay refuses whom no route
    /// takes.
    case tlsNotRouted = "tls_not_routed"
    /// The client's TLS ClientHello, which says what to connect, was not complete in time.
    case tlsHelloTimeout = "tls_hello_timeout"
    /// A limit forbade it.
    case overLimit = "over_limit"
    /// Something went wrong inside Tapline; the log says what.
    case internalError = "internal_error"

    /// Whether the upstream could not be connected, rather than that a connection ended.
    public var isOfConnecting: Bool {
        switch self {
        case .connectRefused, .connectTimeout, .connectUnreachable, .nameNotFound, .nameLookupFailed, .noLocalPort,
            .loop, .overLimit:
            true
        case .clientClosed, .clientReset, .clientTimedOut, .upstreamClosed, .upstreamReset, .upstreamTimedOut,
            .idleTimeout, .halfCloseTimeout, .lifetime, .killed, .drained, .denied, .proxyUntrusted,
            .proxyHeaderInvalid, .proxyHeaderTimeout, .destinationRefused, .tlsNotRouted, .tlsHelloTimeout,
            .internalError:
            false
        }
    }

    /// Who ended a connection that ended for this reason.
    public var closedBy: ClosedBy {
        switch self {
        case .clientClosed, .clientReset, .clientTimedOut: .client
        case .upstreamClosed, .upstreamReset, .upstreamTimedOut, .connectRefused: .upstream
        case .connectTimeout, .connectUnreachable, .nameNotFound, .nameLookupFailed, .noLocalPort, .loop,
            .idleTimeout, .halfCloseTimeout, .lifetime, .killed, .drained, .denied, .proxyUntrusted,
            .proxyHeaderInvalid, .proxyHeaderTimeout, .destinationRefused, .tlsNotRouted, .tlsHelloTimeout,
            .overLimit, .internalError:
            .tapline
        }
    }
}
