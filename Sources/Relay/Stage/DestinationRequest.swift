internal import Tunnel

/// A client's request for a destination, as far as it was read.
struct DestinationRequest {
    /// The form of the reply that the client expects; nil if its protocol is unknown.
    var form: TunnelReplyForm?
    /// Why the request is invalid or not supported.
    var fault: TunnelFault?
    /// Only some addresses of the requested name are allowed.
    var checksAddresses = false
    /// Bytes of the client that were read and discarded after its request had failed.
    var discarded = 0
    /// The client has a reply, or a part of it.
    var isAnswered = false

    /// Whether the client expects a reply.
    var isReplyDue: Bool { form != nil && !isAnswered }

    /// For the record.
    var facts: RequestFacts {
        let name: String? =
            switch form {
            case .socks4: "SOCKS 4"
            case .socks5Method, .socks5: "SOCKS 5"
            case .http: "HTTP CONNECT"
            case nil: nil
            }
        return RequestFacts(protocolName: name, fault: fault.map { "\($0)" })
    }
}
