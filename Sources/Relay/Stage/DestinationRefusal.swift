/// Why an intercepted connection is not taken to where it wanted to go (`destination_refused`, `loop`).
public enum DestinationRefusal: Hashable, Sendable {
    /// The system knows of none: the connection was not redirected in this network namespace.
    case unknown
    /// The client came straight to the listener.
    case notRedirected
    /// It is another listener of Tapline's own.
    case ownListener
    /// `interception.allow` does not have it.
    case notAllowed
    /// The connection is Tapline's own, to an upstream: rules do not leave its traffic out.
    case ownTraffic
}
