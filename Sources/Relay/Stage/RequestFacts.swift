/// What a client's request for a destination adds to a connection's record, for relays with `upstream: requested`.
/// Immutable; a reference, so that records of other connections stay small. Any thread.
public final class RequestFacts: Hashable, Sendable {
    /// `SOCKS 5`, `HTTP CONNECT` or `SOCKS 4`; nil if the first bytes are of none of them.
    public let protocolName: String?
    /// Why the request is invalid or not supported: a phrase that follows "the request", in printable ASCII; nil without
    /// a fault.
    public let fault: String?

    /// Facts known so far.
    public init(protocolName: String?, fault: String? = nil) {
        self.protocolName = protocolName
        self.fault = fault
    }

    /// Equal if every fact is.
    public static func == (left: RequestFacts, right: RequestFacts) -> Bool {
        left === right || (left.protocolName, left.fault) == (right.protocolName, right.fault)
    }

    /// Hashes every fact.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(protocolName)
        hasher.combine(fault)
    }
}
