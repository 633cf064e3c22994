internal import EventLoop
internal import Recorder

/// The recorders of one worker's connections. On the worker's thread.
struct WorkerTaps {
    /// By relay, as set by the configuration or the admin API. Not by name: a relay has its new name before the worker
    /// has the configuration that renames it, and a removed relay that drains may have the name of a new one.
    var recorders: [RelayIdentity: Recorder] = [:]
    /// The recorder of all relays.
    var common: Recorder?
    /// Live recordings.
    var live: [Recorder] = []
    /// The worker's producers for their rings.
    private var producers: [(recorder: Recorder, producer: RingProducer)] = []

    init(common: Recorder?) {
        self.common = common
    }

    var isEmpty: Bool { recorders.isEmpty && common == nil && live.isEmpty }

    /// Calls with every recorder of a new connection.
    func forEach(of relay: RelayIdentity, _ body: (Recorder) -> Void) {
        if let recorder = recorders[relay] ?? common { body(recorder) }
        for recorder in live where recorder.plan.selection.includes(relay: relay.name) { body(recorder) }
    }

    /// Applies a configuration.
    mutating func change(_ choices: [RelayIdentity: RecorderChoice]) {
        var next: [RelayIdentity: Recorder] = [:]
        for (relay, choice) in choices {
            switch choice {
            case .asItIs: next[relay] = recorders[relay]
            case .recorder(let recorder): next[relay] = recorder
            case .nothing: break
            }
        }
        recorders = next
    }

    /// The worker's producer for a recorder's ring.
    mutating func producer(to recorder: Recorder, workers: Int, loop: EventLoop) -> RingProducer {
        if let known = producers.first(where: { $0.recorder === recorder }) { return known.producer }
        let producer = RingProducer(to: recorder, workers: workers, ordinaryRead: Flow.Limits.read, loop: loop)
        producers.append((recorder, producer))
        return producer
    }

    /// Releases the producers of recorders that no further connection here will use; connections that they still record
    /// keep theirs.
    mutating func releaseProducers() {
        producers.removeAll { recorder, producer in
            if recorder === common || live.contains(where: { $0 === recorder }) { return false }
            if recorders.values.contains(where: { $0 === recorder }) { return false }
            producer.releaseReservation()
            return true
        }
    }

    mutating func remove(_ recorder: Recorder) {
        recorders = recorders.filter { $0.value !== recorder }
        live.removeAll { $0 === recorder }
        if common === recorder { common = nil }
    }
}

/// The recorder of a relay when a configuration comes into force.
enum RecorderChoice: Sendable {
    /// Whatever recorder it has by then, if any, because its settings have not changed.
    case asItIs
    case recorder(Recorder)
    case nothing
}
