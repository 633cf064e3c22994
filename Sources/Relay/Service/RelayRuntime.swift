internal import Configuration
internal import Sockets
internal import Text

/// One relay of one generation, in the form the data plane needs. Immutable; connections keep the one they started
/// with.
final class RelayRuntime: Sendable {
    /// Milliseconds; 0 is off.
    struct Timeouts: Hashable, Sendable {
        var connect: UInt64
        var idle: UInt64
        var halfClose: UInt64
        var lifetime: UInt64
        var wait: UInt64

        /// How long a reset waits for the delivery of earlier bytes if the half-close timeout is off, milliseconds.
        static let resetBound: UInt64 = 55_000
    }

    let settings: RelaySettings
    let name: String
    let generation: Int
    let destination: Destination
    /// The proxy that is dialled in place of each destination; nil: none.
    let proxy: Destination?
    let timeouts: Timeouts
    /// The stages of its connections.
    let stages: StagePlan
    /// The version of the PROXY header sent to upstreams; nil: none.
    let sendsProxy: ProxyProtocolSettings.Version?
    /// The settings for connecting clients to their original destinations; nil: all go to the same upstream.
    let interception: InterceptionSettings?
    /// The settings for connecting clients to the destinations that they request; nil: all go to the same upstream.
    let requested: RequestedSettings?
    /// Tapline itself listens on the upstream's port, so each address must be checked.
    let mayLoop: Bool
    /// Shared with the same relay of other generations.
    let identity: RelayIdentity
    /// The identity's slots, stored here because every accept uses them.
    let slots: Budget

    init(_ settings: RelaySettings, generation: Int, identity: RelayIdentity, mayLoop: Bool) {
        self.mayLoop = mayLoop
        self.settings = settings
        name = settings.name
        self.generation = generation
        destination = Destination(settings.upstream)
        proxy = settings.upstreamProxy.map { Destination($0.address) }
        stages = StagePlan(settings)
        timeouts = Timeouts(
            connect: settings.timeouts.connect.millisecondsRoundedUp,
            idle: settings.timeouts.idle.millisecondsRoundedUp,
            halfClose: settings.timeouts.halfClose.millisecondsRoundedUp,
            lifetime: settings.timeouts.lifetime.millisecondsRoundedUp,
            wait: settings.timeouts.wait.millisecondsRoundedUp)
        sendsProxy = settings.proxyProtocol?.send
        interception =
            settings.upstream == .originalDestination ? settings.interception ?? InterceptionSettings() : nil
        requested = settings.upstream == .requested ? settings.requested ?? RequestedSettings() : nil
        self.identity = identity
        slots = identity.slots
    }

    /// Whether the upstream of another generation's clients is found in the same way, so that a held one can get this
    /// relay's.
    func findsUpstreams(as other: RelayRuntime) -> Bool {
        (requested == nil) == (other.requested == nil) && (interception == nil) == (other.interception == nil)
    }

    /// Whether the PROXY header of a peer is trusted.
    func trusts(_ peer: SocketAddress) -> Bool {
        settings.proxyProtocol?.accept?.trusted.contains { $0.contains(peer) } ?? false
    }
}
