/// Why a connection is not connected to its original destination, or to the one that its client requested
/// (`destination_refused`, `loop`).
public enum DestinationRefusal: Hashable, Sendable {
    /// The system has none: the connection was not redirected in this network namespace.
    case unknown
    /// The client connected to the listener directly.
    case notRedirected
    /// It is another listener of Tapline.
    case ownListener
    /// It is not in `interception.allow`.
    case notAllowed
    /// The client has requested it, and it is not in `requested.allow`.
    case requestNotAllowed
    /// The connection is Tapline's own connection to an upstream: the redirect rules do not exclude its traffic.
    case ownTraffic
}
