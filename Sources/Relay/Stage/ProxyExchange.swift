internal import ProxyProtocol
internal import Sockets

/// What a connection of a relay with `proxy_protocol` holds beside the rest, on its worker's thread. Other connections
/// have none of it.
final class ProxyExchange {
    /// What has come of a header that is not complete.
    var received: [UInt8] = []
    /// What a header said that goes to the upstream too.
    var extensions: [ProxyHeader.Extension] = []
    /// The address that the client reached, by the header.
    var destination: SocketAddress?
    /// When connecting began: the loop's clock. A header may have taken its time.
    var connectingSince: UInt64
    /// For the record; nil until something is known.
    var facts: ProxyFacts?
    /// What the upstream's socket has not taken of its header yet.
    var unsent: ArraySlice<UInt8> = []

    init(connectingSince: UInt64) {
        self.connectingSince = connectingSince
    }
}
