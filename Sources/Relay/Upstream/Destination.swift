internal import Configuration
internal import Sockets

/// What a connection is made to: its name in the record, and the endpoint behind it. Immutable; any thread.
struct Destination: Hashable, Sendable {
    /// As configured: the record's `upstream`.
    let text: String
    /// Nil for `original-destination` until the kernel's connection tracking has named an address.
    let endpoint: Endpoint?

    init(_ upstream: UpstreamAddress) {
        text = upstream.description
        endpoint =
            switch upstream {
            case .name(let host, let port): .name(host, port: port)
            case .address(let address): .address(address)
            case .linkLocal(let address, let zone, let port): .linkLocal(address, zone: zone, port: port)
            case .originalDestination: nil
            }
    }

    private init(text: String, endpoint: Endpoint?) {
        self.text = text
        self.endpoint = endpoint
    }

    /// The same destination, decided for one connection.
    func decided(_ address: SocketAddress) -> Destination {
        Destination(text: text, endpoint: .address(address))
    }
}
