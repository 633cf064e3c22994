public import Configuration
internal import EventLoop
internal import Logging
public import Sockets
internal import Synchronization
internal import Text

/// Applies a changed configuration without affecting open connections.
///
/// In two steps, between which other parts of the process can prepare their own changes: first everything that can
/// fail, then what cannot. On the supervisor's thread, one change at a time.
extension RelayService {
    /// A prepared configuration that is not in force yet; it must be committed or abandoned.
    public struct Change: Sendable {
        let configuration: Configuration
        let previousNames: [String: String]
        let listeners: BoundListeners.Change
        let recordings: RecorderRegistry.Change

        /// The addresses that relays stop listening on when the change is in force. Other parts of the process may bind
        /// them before.
        public var released: [HeldAddress] { listeners.released }
    }

    /// Binds the listeners and starts the recorders that a configuration adds. `difference` is the one from the
    /// configuration in force. `released` are addresses that another part of this process gives up in the same step: a
    /// new listener may overlap them. Throws a `SystemError`; nothing has changed then.
    public func prepare(
        _ configuration: Configuration, _ difference: ConfigurationDifference, released: [HeldAddress] = []
    ) throws(SystemError) -> Change {
        try OriginalDestination.checkMarks(configuration.relays)
        let previousNames = difference.previousNames(of: configuration.relays)
        let recordings = try state.recordings.prepare(configuration.relays, previousNames: previousNames)
        do throws(SystemError) {
            let listeners = try bound.withLock { bound throws(SystemError) in
                try bound.prepare(configuration, previousNames: previousNames, binding, released: released)
            }
            return Change(
                configuration: configuration, previousNames: previousNames, listeners: listeners,
                recordings: recordings)
        } catch {
            state.recordings.abandon(recordings)
            throw error
        }
    }

    /// Undoes a prepared change.
    public func abandon(_ change: Change) {
        change.listeners.abandon()
        state.recordings.abandon(change.recordings)
    }

    /// How long to wait for the workers, milliseconds: a turn of a busy loop takes a fraction of it.
    private static let applyTimeout: UInt64 = 2000

    /// Puts a prepared configuration in force: posts it to the workers, and unbinds removed addresses. Open connections
    /// keep the settings that they started with, except that held clients get their relay's new upstream; those of a
    /// removed relay may continue for `drain`.
    ///
    /// When it returns, every worker serves the configuration: clients that connect from then on get the new settings,
    /// and removed addresses refuse them. `workers` and `loopback_congestion_control` stay as they were at the start.
    public func commit(_ change: Change, generation: Int, drain: Duration) {
        let configuration = change.configuration
        if configuration.relays.contains(where: \.hasTLS) { CoreDump.forbid() }
        let own = OwnListeners(change.listeners.entries.flatMap(\.reachedAddresses))
        state.set(ownListeners: own)
        let identities = state.takeIdentities(for: configuration.relays, previousNames: change.previousNames)
        var runtimes: [String: RelayRuntime] = [:]
        for relay in configuration.relays {
            guard let identity = identities[relay.name] else { continue }
            runtimes[relay.name] = RelayRuntime(
                relay, generation: generation, identity: identity,
                mayLoop: relay.dialled.contains(where: own.mayInclude))
        }
        var listeners: [SocketAddress: RelayRuntime] = [:]
        for entry in change.listeners.entries { listeners[entry.address] = runtimes[entry.relay] }
        // Opens the key log before a worker has a line for it.
        state.keyLog.check(configuration.relays)
        let (plan, notified) = state.recordings.commit(change.recordings, identities) { recordings in
            WorkerPlan(
                listeners: listeners, opened: change.listeners.opened, recordings: recordings,
                relays: Array(runtimes.values), drain: drain.millisecondsRoundedUp, workers: binding.workers)
        }
        for _ in notified..<binding.workers { plan.applied.down() }
        if !plan.applied.wait(atMost: Self.applyTimeout) {
            binding.logger.warning("a worker is busy and applies the configuration late")
        }
        state.setLimits(of: configuration.relays)
        for entry in change.listeners.going where entry.source == .manager { binding.warnOfUnserved(entry.address) }
        bound.withLock { $0.adopt(change.listeners) }
        inForce.withLock { $0 = configuration }
    }

    /// The configuration in force.
    public var configuration: Configuration { inForce.withLock { $0 } }
}

/// A worker's part of a configuration that comes into force. Immutable, shared by all workers.
final class WorkerPlan: Sendable {
    /// The relay of every bound address.
    let listeners: [SocketAddress: RelayRuntime]
    /// The new addresses, with a socket for each worker.
    let opened: [BoundAddress]
    /// The recorder of each relay.
    let recordings: [RelayIdentity: RecorderChoice]
    /// How long connections of a removed relay may continue, milliseconds.
    let drain: UInt64
    /// Counted down by each worker that has applied the plan.
    let applied: Countdown
    /// The configuration's relays.
    private let relays: [RelayIdentity: RelayRuntime]

    init(
        listeners: [SocketAddress: RelayRuntime], opened: [BoundAddress], recordings: [RelayIdentity: RecorderChoice],
        relays: [RelayRuntime], drain: UInt64, workers: Int
    ) {
        self.listeners = listeners
        self.opened = opened
        self.recordings = recordings
        self.drain = drain
        applied = Countdown(workers)
        self.relays = Dictionary(relays.map { ($0.identity, $0) }) { _, last in last }
    }

    /// Whether the configuration has this relay, perhaps under another name.
    func keeps(_ relay: RelayRuntime) -> Bool { relays[relay.identity] != nil }

    /// The settings from which held clients of a relay get their upstream; nil if the relay is gone, or finds its
    /// upstreams in another way.
    func successor(of relay: RelayRuntime) -> RelayRuntime? {
        relays[relay.identity].flatMap { $0.findsUpstreams(as: relay) ? $0 : nil }
    }
}
