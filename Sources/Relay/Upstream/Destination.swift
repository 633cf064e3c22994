internal import Configuration
internal import Sockets

/// What a connection is made to: its name in the record, and the endpoint behind it. Immutable; any thread.
struct Destination: Hashable, Sendable {
    /// As configured, or as the client requested it: the record's `upstream`.
    let text: String
    /// Nil for `original-destination` until the kernel's connection tracking has named an address, and for `requested`
    /// until the client has.
    let endpoint: Endpoint?
    /// Who has supplied the name.
    let origin: NameCache.Origin

    init(_ upstream: UpstreamAddress, from origin: NameCache.Origin = .configuration) {
        text = upstream.description
        self.origin = origin
        endpoint =
            switch upstream {
            case .name(let host, let port): .name(host, port: port)
            case .address(let address): .address(address)
            case .linkLocal(let address, let zone, let port): .linkLocal(address, zone: zone, port: port)
            case .originalDestination, .requested: nil
            }
    }

    private init(text: String, endpoint: Endpoint?) {
        self.text = text
        origin = .configuration
        self.endpoint = endpoint
    }

    /// The same destination, decided for one connection.
    func decided(_ address: SocketAddress) -> Destination {
        Destination(text: text, endpoint: .address(address))
    }
}
