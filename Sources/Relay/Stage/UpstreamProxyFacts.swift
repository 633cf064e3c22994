/// What `upstream_proxy` adds to a connection's record. Immutable; a reference, so that records of other connections stay
/// small. Any thread.
public final class UpstreamProxyFacts: Hashable, Sendable {
    /// The proxy's address as configured, without its credentials.
    public let proxy: String
    /// Why the proxy did not connect (`upstream_proxy_failed`): a clause whose subject is the proxy, in printable ASCII; nil
    /// otherwise.
    public let fault: String?

    /// Facts known so far.
    public init(proxy: String, fault: String? = nil) {
        self.proxy = proxy
        self.fault = fault
    }

    /// Equal if every fact is.
    public static func == (left: UpstreamProxyFacts, right: UpstreamProxyFacts) -> Bool {
        left === right || (left.proxy, left.fault) == (right.proxy, right.fault)
    }

    /// Hashes every fact.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(proxy)
        hasher.combine(fault)
    }
}
