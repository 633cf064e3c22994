public import Configuration
internal import EventLoop
internal import Logging
public import Sockets
internal import Synchronization

/// A changed configuration, without touching what is open.
extension RelayService {
    /// Puts a configuration in force: binds what is new, tells the workers, and unbinds what is gone. Connections that
    /// are open keep the settings they began with; those of a removed relay may go on for `drain`.
    ///
    /// When it returns, every worker serves it: who connects from then on meets the new settings, and who asks for an
    /// address that is gone is refused. Throws a `SystemError` before anything has changed. On the supervisor's thread,
    /// one call at a time. `workers` and `loopback_congestion_control` stay as they were at the start.
    public func apply(_ configuration: Configuration, generation: Int, drain: Duration) throws(SystemError) {
        try Self.checkMarks(configuration.relays)
        let recordings = try state.recordings.prepare(configuration.relays)
        let change: BoundListeners.Change
        do throws(SystemError) {
            change = try bound.withLock { bound throws(SystemError) in try bound.prepare(configuration, binding) }
        } catch {
            state.recordings.abandon(recordings)
            throw error
        }
        commit(change, recordings, configuration, generation: generation, drain: drain)
    }

    /// How long the workers are waited for, milliseconds: a turn of a busy loop takes a fraction of it.
    private static let patience: UInt64 = 2000

    func commit(
        _ change: BoundListeners.Change, _ recordings: RecordingDesk.Change, _ configuration: Configuration,
        generation: Int, drain: Duration
    ) {
        let own = OwnListeners(change.entries.flatMap(\.reachedAddresses))
        state.set(ownListeners: own)
        let places = state.takePlaces(for: configuration.relays)
        var runtimes: [String: RelayRuntime] = [:]
        for relay in configuration.relays {
            guard let places = places[relay.name] else { continue }
            runtimes[relay.name] = RelayRuntime(
                relay, generation: generation, places: places, mayLoop: relay.upstreams.contains(where: own.mayInclude))
        }
        var listeners: [SocketAddress: RelayRuntime] = [:]
        for entry in change.entries { listeners[entry.address] = runtimes[entry.relay] }
        let plan = WorkerPlan(
            listeners: listeners, opened: change.opened, recordings: recordings.choices, relays: configuration.relays,
            drain: drain.wholeMilliseconds, workers: binding.workers)
        let told = state.recordings.commit(recordings, plan)
        for _ in told..<binding.workers { plan.applied.down() }
        if !plan.applied.wait(atMost: Self.patience) {
            binding.logger.warning("a worker is busy and takes the configuration over late")
        }
        state.setLimits(of: configuration.relays)
        for entry in change.going where entry.source == .manager { binding.tellForsaken(entry.address) }
        bound.withLock { $0.adopt(change) }
    }
}

/// What a worker does for a configuration that comes into force. Immutable, shared by all workers.
final class WorkerPlan: Sendable {
    /// Whose every bound address is from now on.
    let listeners: [SocketAddress: RelayRuntime]
    /// What is new, with a socket for each worker.
    let opened: [BoundAddress]
    /// What records each relay.
    let recordings: [String: RecorderChoice]
    /// How long connections of a removed relay may go on, milliseconds.
    let drain: UInt64
    /// Who waits until every worker has done it.
    let applied: Countdown
    private let names: Set<String>
    private let faces: Set<Face>

    /// What makes a renamed relay the same: where it listens and what it forwards to.
    private struct Face: Hashable {
        let listen: [ListenAddress]
        let upstream: UpstreamAddress
    }

    init(
        listeners: [SocketAddress: RelayRuntime], opened: [BoundAddress], recordings: [String: RecorderChoice],
        relays: [RelaySettings], drain: UInt64, workers: Int
    ) {
        self.listeners = listeners
        self.opened = opened
        self.recordings = recordings
        self.drain = drain
        applied = Countdown(workers)
        names = Set(relays.map(\.name))
        faces = Set(relays.map { Face(listen: $0.listen, upstream: $0.upstream) })
    }

    /// Whether a relay that connections began with is still there, be it under another name.
    func keeps(_ relay: RelayRuntime) -> Bool {
        names.contains(relay.name)
            || faces.contains(Face(listen: relay.settings.listen, upstream: relay.settings.upstream))
    }
}
