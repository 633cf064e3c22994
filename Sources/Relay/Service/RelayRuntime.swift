internal import Configuration
internal import Sockets

/// One relay of one generation, in the form the data plane needs. Immutable; connections keep the one they began with.
final class RelayRuntime: Sendable {
    /// What to connect, in the form of the dialer.
    enum Target: Hashable, Sendable {
        case name(String, port: UInt16)
        case address(SocketAddress)
        case linkLocal(IPv6Address, zone: String, port: UInt16)
        case originalDestination
    }

    /// Milliseconds; 0 is off.
    struct Timeouts: Hashable, Sendable {
        var connect: UInt64
        var idle: UInt64
        var halfClose: UInt64
        var lifetime: UInt64
        /// For a client's PROXY header.
        var header: UInt64
        /// For a client's TLS ClientHello.
        var hello: UInt64

        /// How long a reset waits for what came before it when the half-close timeout is off.
        static let resetBound: UInt64 = 55_000
    }

    let settings: RelaySettings
    let name: String
    let generation: Int
    let upstreamText: String
    let target: Target
    let timeouts: Timeouts
    /// Clients begin with a PROXY header.
    let acceptsProxy: Bool
    /// The client's TLS ClientHello says which upstream to connect; nil: it is the relay's.
    let tlsRoutes: TLSRoutes?
    /// Upstreams get a PROXY header first; nil: none.
    let sendsProxy: ProxyProtocolSettings.Version?
    /// Clients are taken to where they wanted to go, as far as this says; nil: all to the same upstream.
    let interception: InterceptionSettings?
    /// The upstream's port is one that Tapline itself listens on: each address must be looked at.
    let mayLoop: Bool
    /// What it shares with the same relay of other generations.
    let identity: RelayIdentity
    /// The identity's, kept here because every accept uses it.
    let places: Budget

    init(_ settings: RelaySettings, generation: Int, identity: RelayIdentity, mayLoop: Bool) {
        self.mayLoop = mayLoop
        self.settings = settings
        name = settings.name
        self.generation = generation
        upstreamText = settings.upstream.description
        target = Target(settings.upstream)
        timeouts = Timeouts(
            connect: settings.timeouts.connect.wholeMilliseconds, idle: settings.timeouts.idle.wholeMilliseconds,
            halfClose: settings.timeouts.halfClose.wholeMilliseconds,
            lifetime: settings.timeouts.lifetime.wholeMilliseconds,
            header: settings.proxyProtocol?.accept?.timeout.wholeMilliseconds ?? 0,
            hello: settings.tlsRouting?.timeout.wholeMilliseconds ?? 0)
        tlsRoutes = settings.tlsRouting.map { TLSRoutes($0, upstream: settings.upstream) }
        acceptsProxy = settings.proxyProtocol?.accept != nil
        sendsProxy = settings.proxyProtocol?.send
        interception =
            settings.upstream == .originalDestination ? settings.interception ?? InterceptionSettings() : nil
        self.identity = identity
        places = identity.places
    }

    /// Nothing is connected before the client has said something.
    var mustHearClient: Bool { acceptsProxy || tlsRoutes != nil }

    /// Whether the PROXY header of a peer is believed.
    func trusts(_ peer: SocketAddress) -> Bool {
        settings.proxyProtocol?.accept?.trusted.contains { $0.contains(peer) } ?? false
    }
}

extension RelayRuntime.Target {
    init(_ upstream: UpstreamAddress) {
        self =
            switch upstream {
            case .name(let host, let port): .name(host, port: port)
            case .address(let address): .address(address)
            case .linkLocal(let address, let zone, let port): .linkLocal(address, zone: zone, port: port)
            case .originalDestination: .originalDestination
            }
    }
}

extension Duration {
    /// Rounded up, so that only zero, and what is below it, is zero.
    var wholeMilliseconds: UInt64 {
        guard self > .zero else { return 0 }
        let (seconds, attoseconds) = components
        return UInt64(seconds) * 1000 + UInt64((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
