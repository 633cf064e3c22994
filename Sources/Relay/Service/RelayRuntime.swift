internal import Configuration
internal import Sockets

/// One relay of one generation, in the form the data plane needs. Immutable; connections keep the one they began with.
final class RelayRuntime: Sendable {
    /// Milliseconds; 0 is off.
    struct Timeouts: Hashable, Sendable {
        var connect: UInt64
        var idle: UInt64
        var halfClose: UInt64
        var lifetime: UInt64

        /// How long a reset waits for what came before it when the half-close timeout is off.
        static let resetBound: UInt64 = 55_000
    }

    let settings: RelaySettings
    let name: String
    let generation: Int
    let destination: Destination
    let timeouts: Timeouts
    /// The stages of its connections.
    let stages: StagePlan
    /// Upstreams get a PROXY header first; nil: none.
    let sendsProxy: ProxyProtocolSettings.Version?
    /// Clients are taken to where they wanted to go, as far as this says; nil: all to the same upstream.
    let interception: InterceptionSettings?
    /// The upstream's port is one that Tapline itself listens on: each address must be looked at.
    let mayLoop: Bool
    /// What it shares with the same relay of other generations.
    let identity: RelayIdentity
    /// The identity's, kept here because every accept uses it.
    let slots: Budget

    init(_ settings: RelaySettings, generation: Int, identity: RelayIdentity, mayLoop: Bool) {
        self.mayLoop = mayLoop
        self.settings = settings
        name = settings.name
        self.generation = generation
        destination = Destination(settings.upstream)
        stages = StagePlan(settings)
        timeouts = Timeouts(
            connect: settings.timeouts.connect.wholeMilliseconds, idle: settings.timeouts.idle.wholeMilliseconds,
            halfClose: settings.timeouts.halfClose.wholeMilliseconds,
            lifetime: settings.timeouts.lifetime.wholeMilliseconds)
        sendsProxy = settings.proxyProtocol?.send
        interception =
            settings.upstream == .originalDestination ? settings.interception ?? InterceptionSettings() : nil
        self.identity = identity
        slots = identity.slots
    }

    /// Whether the PROXY header of a peer is believed.
    func trusts(_ peer: SocketAddress) -> Bool {
        settings.proxyProtocol?.accept?.trusted.contains { $0.contains(peer) } ?? false
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
