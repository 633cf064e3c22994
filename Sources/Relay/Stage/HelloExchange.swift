internal import TLSHello

/// What a connection of a relay with `tls_routing` holds beside the rest, from its client's first bytes on; on its worker's
/// thread. Clients that say nothing, and other connections, have none of it.
final class HelloExchange {
    /// What was taken of the client's bytes while more of its hello was waited for; they go to the upstream first.
    var received: [UInt8] = []
    var reader = ClientHelloReader()
    /// When connecting began: the loop's clock. A hello may have taken its time.
    var connectingSince: UInt64
    /// Where it leads; nil: to the relay's own upstream.
    var route: TLSRoutes.Route?
    /// For the record; nil until something is known.
    var facts: TLSFacts?

    init(connectingSince: UInt64) {
        self.connectingSince = connectingSince
    }
}
