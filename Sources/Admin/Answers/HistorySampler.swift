internal import NIOCore
internal import Relay
internal import Synchronization

/// Samples the relays' counters once a second while the admin API is served.
///
/// Any thread; the sampling is done on the admin server's.
final class HistorySampler: Sendable {
    private struct State {
        var history = RateHistory()
        var isWanted = false
        /// A turn is scheduled or in progress.
        var isRunning = false
    }

    private let collector: Collector
    private let thread: LoopExecutor
    private let state = Mutex(State())

    init(_ collector: Collector, on thread: LoopExecutor) {
        self.collector = collector
        self.thread = thread
    }

    /// The history so far.
    var history: RateHistory { state.withLock { $0.history } }

    /// Starts sampling, unless it has been started.
    func start() {
        let isFirst = state.withLock { state in
            state.isWanted = true
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if isFirst { Task(executorPreference: thread) { [self] in await turn() } }
    }

    /// Stops sampling, and drops the history: nothing serves it.
    func stop() {
        state.withLock { $0.isWanted = false }
    }

    private func turn() async {
        let readings = await collector.sampledStats().mapValues {
            RateHistory.Reading(up: $0.bytesUp, down: $0.bytesDown)
        }
        let continues = state.withLock { state in
            // Checked under the lock: a start from now on schedules the first turn again.
            state.isRunning = state.isWanted
            if state.isWanted { state.history.add(readings, at: .now) } else { state.history = RateHistory() }
            return state.isWanted
        }
        guard continues else { return }
        let period = Self.period(openConnections: collector.services.relays.openConnections)
        thread.loop.scheduleTask(in: period) { [self] in
            _ = Task(executorPreference: thread) { [self] in await turn() }
        }
    }

    /// A second, and more with many connections: the workers copy the counters of each one, which takes them up to 0.1 µs,
    /// and they spend less than two percent of their time on it. Graphs show a gap after five seconds.
    static func period(openConnections: Int) -> TimeAmount {
        .microseconds(Int64(min(max(openConnections, 200_000), 800_000)) * 5)
    }
}
