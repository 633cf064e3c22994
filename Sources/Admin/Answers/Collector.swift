internal import Configuration
internal import NIOCore
internal import Relay
internal import Sockets
internal import Synchronization
internal import Text

/// Queries the workers and the system for all clients together: each query runs at most ten times a second.
///
/// Thread-safe; used on the admin server's thread.
final class Collector: Sendable {
    /// With more open connections, a list does not contain the kernel's information.
    static let mostWithKernelInformation = 1000
    /// The time after which a worker's loop that does not answer counts as stuck.
    static let pulseTimeout = TimeAmount.seconds(2)
    /// The longest wait for the file of a recording that is stopped.
    static let fileTimeout = TimeAmount.seconds(5)

    let services: AdminServices
    private let thread: LoopExecutor
    /// The rates of single requests.
    let requestRates = RelayRates()
    private let connectionMeter = Mutex(RateMeter<UInt64>())
    private let willForget = Atomic<Bool>(false)
    private let statsAnswer: SharedAnswer<[String: RelayStats]>
    private let liveAnswer: SharedAnswer<(connections: [LiveConnection], hasKernel: Bool)>
    private let pulseAnswer: SharedAnswer<Void>
    private let closedAnswer: SharedAnswer<[ConnectionRecord]>
    private let processAnswer: SharedAnswer<ProcessStats>
    private let recordingsAnswer: SharedAnswer<[String: RecordingState]>

    init(_ services: AdminServices, on thread: LoopExecutor) {
        self.services = services
        self.thread = thread
        let relays = services.relays
        statsAnswer = SharedAnswer(on: thread) { await relays.stats() }
        liveAnswer = SharedAnswer(
            on: thread,
            lifetime: { answer in
                // The workers spend less than two percent of their time on it.
                let microseconds = answer.connections.count * (answer.hasKernel ? 200 : 20)
                return .milliseconds(100) + .microseconds(microseconds)
            },
            ask: {
                let hasKernel = relays.openConnections <= Self.mostWithKernelInformation
                return (await relays.liveConnections(kernel: hasKernel), hasKernel)
            })
        pulseAnswer = SharedAnswer(on: thread) { await relays.pulse() }
        closedAnswer = SharedAnswer(on: thread) { services.journal.closedRecords }
        processAnswer = SharedAnswer(on: thread) { ProcessStats.read(descriptorLimit: relays.descriptorLimit) }
        recordingsAnswer = SharedAnswer(on: thread) { relays.recordings }
    }

    /// The monotonic clock, milliseconds: that of `RecentConnects`.
    static var clock: UInt64 { NIODeadline.now().uptimeNanoseconds / 1_000_000 }

    /// A request has changed something: what is asked for from now on shows it.
    func changed() {
        statsAnswer.changed()
        liveAnswer.changed()
        closedAnswer.changed()
        recordingsAnswer.changed()
    }

    // MARK: Answers

    /// The last end records, newest first.
    func closed() async -> [ConnectionRecord] { await closedAnswer.value() }

    /// The system's statistics of the process.
    func process() async -> ProcessStats { await processAnswer.value() }

    /// The state of the relays' recordings.
    func recordings() async -> [String: RecordingState] { await recordingsAnswer.value() }

    /// The counters of every relay, at most 0.1 s old.
    func stats() async -> [String: RelayStats] { await statsAnswer.value() }

    /// The counters of every relay now. They are not shared: a sampler must not cause a client that asks after an event
    /// to get counters from before it.
    func sampledStats() async -> [String: RelayStats] { await services.relays.stats() }

    /// The rates of one reader. A sample of another one would shorten the time that its rates are about, and what passed
    /// before that sample would be in none of them.
    final class RelayRates: Sendable {
        fileprivate let meter = Mutex(RateMeter<String>())
    }

    /// The counters of every relay, and a reader's rates. After a pause, this waits for a second sample.
    func stats(with rates: RelayRates) async -> ([String: RelayStats], RateMeter<String>) {
        var stats = await sampled(rates)
        if !rates.meter.withLock({ $0.isReady(at: .now) }) {
            await thread.pause(.milliseconds(250))
            stats = await sampled(rates)
        }
        return (stats, rates.meter.withLock { $0 })
    }

    private func sampled(_ rates: RelayRates) async -> [String: RelayStats] {
        let stats = await stats()
        rates.meter.withLock { meter in
            meter.add(
                stats.mapValues { .init(up: $0.bytesUp, down: $0.bytesDown, accepted: $0.accepted) }, at: .now)
        }
        return stats
    }

    /// Every open connection and its rates. After a pause, this waits for a second sample.
    func connections() async -> ([LiveConnection], RateMeter<UInt64>) {
        var connections = await sampledConnections()
        if !connectionMeter.withLock({ $0.isReady(at: .now) }) {
            await thread.pause(.milliseconds(250))
            connections = await sampledConnections()
        }
        return (connections, connectionMeter.withLock { $0 })
    }

    private func sampledConnections() async -> [LiveConnection] {
        let connections = await liveAnswer.value().connections
        if !willForget.exchange(true, ordering: .relaxed) { forgetLater() }
        connectionMeter.withLock { meter in
            var readings: [UInt64: RateMeter<UInt64>.Reading] = [:]
            readings.reserveCapacity(connections.count)
            for live in connections {
                readings[live.record.id] = .init(up: live.record.bytesUp, down: live.record.bytesDown)
            }
            meter.add(readings, at: .now)
        }
        return connections
    }

    /// Drops the copies of the connections after a while without requests: there may be thousands.
    private func forgetLater() {
        thread.loop.scheduleTask(in: .seconds(10)) { [self] in
            guard liveAnswer.forget(after: .seconds(10)) else { return forgetLater() }
            connectionMeter.withLock { $0 = RateMeter() }
            willForget.store(false, ordering: .relaxed)
        }
    }

    /// One open connection, queried separately, with its rates.
    func connection(_ id: UInt64) async -> (LiveConnection, RateMeter<UInt64>.Rate)? {
        let (_, meter) = await connections()
        guard let live = await services.relays.liveConnection(id) else { return nil }
        return (live, meter.rate(of: id))
    }

    /// Whether every worker's loop answers within `pulseTimeout`.
    func isAlive() async -> Bool {
        let pulse = pulseAnswer
        return await inTime(Self.pulseTimeout) { await pulse.value() }
    }

    /// Stops recording a relay. Returns the recording's state when its file is closed, or after `fileTimeout`, because the
    /// disk may be full or hang; nil if no relay has this name.
    func stopRecording(_ relay: String) async -> RelayService.RecordingState? {
        let relays = services.relays
        _ = await inTime(Self.fileTimeout) { _ = await relays.stopRecording(relay) }
        return relays.recordings[relay]
    }

    /// Whether an action ends within a time; otherwise it continues.
    private func inTime(_ time: TimeAmount, _ action: @escaping @Sendable () async -> Void) async -> Bool {
        await withCheckedContinuation { continuation in
            let answer = FirstResult(continuation)
            Task(executorPreference: thread) {
                await action()
                answer.resolve(true)
            }
            thread.loop.scheduleTask(in: time) { answer.resolve(false) }
        }
    }
}

/// Passes on the first of two results.
private final class FirstResult: Sendable {
    private let continuation: Mutex<CheckedContinuation<Bool, Never>?>

    init(_ continuation: CheckedContinuation<Bool, Never>) {
        self.continuation = Mutex(continuation)
    }

    func resolve(_ answer: Bool) {
        continuation.withLock { continuation in
            defer { continuation = nil }
            return continuation
        }?.resume(returning: answer)
    }
}
