internal import Configuration
internal import NIOCore
internal import Relay
internal import Sockets
internal import Synchronization
internal import Text

/// Asks the workers and the system, for all clients together: every question here is put ten times a second at most.
///
/// Any thread; in fact the admin server's.
final class Collector: Sendable {
    /// With more open connections than this the kernel is not asked about each in a list.
    static let mostAskedOfKernel = 1000
    /// How long a worker's loop may take to answer before it counts as stuck.
    static let pulsePatience = TimeAmount.seconds(2)
    /// How long whoever stops a recording waits for its file.
    static let filePatience = TimeAmount.seconds(5)

    let services: AdminServices
    private let thread: LoopExecutor
    private let relayMeter = Mutex(RateMeter<String>())
    private let connectionMeter = Mutex(RateMeter<UInt64>())
    private let willForget = Atomic<Bool>(false)
    private let figuresAnswer: SharedAnswer<[String: RelayFigures]>
    private let liveAnswer: SharedAnswer<(connections: [LiveConnection], hasKernel: Bool)>
    private let pulseAnswer: SharedAnswer<Void>
    private let closedAnswer: SharedAnswer<[ConnectionRecord]>
    private let processAnswer: SharedAnswer<ProcessFigures>
    private let recordingsAnswer: SharedAnswer<[String: RecordingState]>

    init(_ services: AdminServices, on thread: LoopExecutor) {
        self.services = services
        self.thread = thread
        let relays = services.relays
        figuresAnswer = SharedAnswer(on: thread) { await relays.figures() }
        liveAnswer = SharedAnswer(
            on: thread,
            lifetime: { answer in
                // What the workers spend on it stays under two hundredths of their time.
                let microseconds = answer.connections.count * (answer.hasKernel ? 200 : 20)
                return .milliseconds(100) + .microseconds(microseconds)
            },
            ask: {
                let hasKernel = relays.openConnections <= Self.mostAskedOfKernel
                return (await relays.liveConnections(kernel: hasKernel), hasKernel)
            })
        pulseAnswer = SharedAnswer(on: thread) { await relays.pulse() }
        closedAnswer = SharedAnswer(on: thread) { services.journal.closedRecords }
        processAnswer = SharedAnswer(on: thread) { ProcessFigures.read(descriptorLimit: relays.descriptorLimit) }
        recordingsAnswer = SharedAnswer(on: thread) { relays.recordings }
    }

    // MARK: Answers

    /// The last end records, the latest first.
    func closed() async -> [ConnectionRecord] { await closedAnswer.value() }

    /// What the system says of the process.
    func process() async -> ProcessFigures { await processAnswer.value() }

    /// How relays are recorded.
    func recordings() async -> [String: RecordingState] { await recordingsAnswer.value() }

    /// What every relay has done, without rates.
    func figures() async -> [String: RelayFigures] {
        let figures = await figuresAnswer.value()
        relayMeter.withLock { meter in
            meter.look(
                figures.mapValues { .init(up: $0.bytesUp, down: $0.bytesDown, accepted: $0.accepted) }, at: .now)
        }
        return figures
    }

    /// What every relay has done, and its rates; the first to ask for long waits for a second look.
    func figuresWithRates() async -> ([String: RelayFigures], RateMeter<String>) {
        var figures = await figures()
        if !relayMeter.withLock({ $0.isReady(at: .now) }) {
            await thread.pause(.milliseconds(250))
            figures = await self.figures()
        }
        return (figures, relayMeter.withLock { $0 })
    }

    /// Every open connection, and its rates; the first to ask for long waits for a second look.
    func connections() async -> ([LiveConnection], RateMeter<UInt64>) {
        var connections = await look()
        if !connectionMeter.withLock({ $0.isReady(at: .now) }) {
            await thread.pause(.milliseconds(250))
            connections = await look()
        }
        return (connections, connectionMeter.withLock { $0 })
    }

    private func look() async -> [LiveConnection] {
        let connections = await liveAnswer.value().connections
        if !willForget.exchange(true, ordering: .relaxed) { forgetLater() }
        connectionMeter.withLock { meter in
            var readings: [UInt64: RateMeter<UInt64>.Reading] = [:]
            readings.reserveCapacity(connections.count)
            for live in connections {
                readings[live.record.id] = .init(up: live.record.bytesUp, down: live.record.bytesDown)
            }
            meter.look(readings, at: .now)
        }
        return connections
    }

    /// When nobody has asked for a while, copies of thousands of connections are not kept.
    private func forgetLater() {
        thread.loop.scheduleTask(in: .seconds(10)) { [self] in
            guard liveAnswer.forget(after: .seconds(10)) else { return forgetLater() }
            connectionMeter.withLock { $0 = RateMeter() }
            willForget.store(false, ordering: .relaxed)
        }
    }

    /// One open connection, asked for itself, with its rates.
    func connection(_ id: UInt64) async -> (LiveConnection, RateMeter<UInt64>.Rate)? {
        let (_, meter) = await connections()
        guard let live = await services.relays.liveConnection(id) else { return nil }
        return (live, meter.rate(of: id))
    }

    /// Whether every worker's loop turns: it answers within some seconds.
    func isAlive() async -> Bool {
        let pulse = pulseAnswer
        return await inTime(Self.pulsePatience) { await pulse.value() }
    }

    /// Stops recording a relay: how its recording is when its file is closed, or after some seconds, for the disk may be
    /// full or hang. Nil where no relay has this name.
    func stopRecording(_ relay: String) async -> RelayService.RecordingState? {
        let relays = services.relays
        _ = await inTime(Self.filePatience) { _ = await relays.stopRecording(relay) }
        return relays.recordings[relay]
    }

    /// Whether an action is done within a time; it goes on if not.
    private func inTime(_ time: TimeAmount, _ action: @escaping @Sendable () async -> Void) async -> Bool {
        await withCheckedContinuation { continuation in
            let answer = FirstAnswer(continuation)
            Task(executorPreference: thread) {
                await action()
                answer.settle(true)
            }
            thread.loop.scheduleTask(in: time) { answer.settle(false) }
        }
    }
}

/// Whoever answers first is heard.
private final class FirstAnswer: Sendable {
    private let continuation: Mutex<CheckedContinuation<Bool, Never>?>

    init(_ continuation: CheckedContinuation<Bool, Never>) {
        self.continuation = Mutex(continuation)
    }

    func settle(_ answer: Bool) {
        continuation.withLock { continuation in
            defer { continuation = nil }
            return continuation
        }?.resume(returning: answer)
    }
}
