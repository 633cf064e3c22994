internal import Configuration
internal import NIOCore
internal import Relay
internal import Sockets
internal import Synchronization
internal import Text

/// Passes the journal's events to their followers ten times a second, and the counters once a second. It runs only while
/// there are followers.
///
/// Any thread; the work is done on the admin server's.
final class EventPump: Sendable {
    private static let period = TimeAmount.milliseconds(100)
    private static let turnsPerCounters = 10

    private let hub = EventHub()
    private let collector: Collector
    private let thread: LoopExecutor
    private let turns = Mutex(Turns())
    private let rates = Collector.RelayRates()

    private struct Turns {
        var isRunning = false
        var count = 0
    }

    init(_ collector: Collector, on thread: LoopExecutor) {
        self.collector = collector
        self.thread = thread
    }

    /// Writes events to a client until it leaves or the server stops.
    func stream(relay: String?, to writer: inout PieceWriter) async throws {
        let id = hub.follow(relay: relay)
        defer { hub.leave(id) }
        collector.services.journal.follow(true)
        collector.services.relays.reportsOpenings = true
        start()
        // A comment line, so that the header is sent at once and proxies forward it.
        try await writer.write(Array(": events of tapline\n\n".utf8))
        hub.publish(await counters(for: [relay]), to: id)
        while let bytes = await hub.next(id) { try await writer.write(bytes) }
    }

    /// A connection of a predecessor has ended.
    func publish(ended connection: JSONValue) {
        guard let relay = connection["relay"].text else { return }
        var json = JSONText()
        json.element(connection.endRecord)
        hub.publish([EventHub.Item(audience: .relay(relay), text: EventHub.event("closed", json.bytes))])
    }

    /// Ends every stream after the pending events.
    func endAll() {
        publish()
        hub.endAll()
    }

    private func publish() {
        let (events, lost) = collector.services.journal.takeEvents()
        if !events.isEmpty || lost > 0 { hub.publish(events.map(item), lost: lost) }
    }

    // MARK: Turns

    private func start() {
        let isFirst = turns.withLock { turns in
            defer { turns.isRunning = true }
            return !turns.isRunning
        }
        if isFirst { thread.loop.scheduleTask(in: Self.period) { [self] in turn() } }
    }

    private func turn() {
        publish()
        guard
            turns.withLock({ turns in
                // Checked under the lock: a follower that is added from now on starts the turns again.
                turns.isRunning = hub.isFollowed
                return turns.isRunning
            })
        else {
            collector.services.journal.follow(false)
            collector.services.relays.reportsOpenings = false
            return
        }
        let isForCounters = turns.withLock { turns in
            turns.count += 1
            return turns.count % Self.turnsPerCounters == 0
        }
        if isForCounters {
            Task(executorPreference: thread) { [self] in hub.publish(await counters(for: hub.subjects)) }
        }
        thread.loop.scheduleTask(in: Self.period) { [self] in turn() }
    }

    // MARK: Events

    private func counters(for subjects: Set<String?>) async -> [EventHub.Item] {
        let (stats, rates) = await collector.stats(with: rates)
        let facts = collector.services.status.now
        let time = Timestamp.now
        let clock = Collector.clock
        let configured = Set(facts.configuration.relays.map(\.name))
        let names = configured.union(stats.keys).sorted()
        return subjects.map { subject in
            var json = JSONText()
            json.object { json in
                json.add("time", time: time)
                json.add("generation", number: facts.generation)
                json.add("open_connections", number: collector.services.relays.openConnections)
                json.list("relays", names.filter { subject == nil || $0 == subject }) { json, name in
                    json.object { json in
                        RelayView.writeCounters(
                            name, stats[name] ?? RelayStats(), rates.rate(of: name), to: &json)
                        // In the same event as `ended`, so that a reader's counts of both agree.
                        RelayView.writeFailures(stats[name] ?? RelayStats(), to: &json)
                        RelayView.write(
                            RelayView.connects(of: stats[name], isConfigured: configured.contains(name), at: clock),
                            to: &json)
                    }
                }
            }
            return EventHub.Item(audience: .followers(of: subject), text: EventHub.event("counters", json.bytes))
        }
    }

    private func item(_ event: Journal.Event) -> EventHub.Item {
        switch event {
        case .opened(let record):
            var json = JSONText()
            json.object { json in
                json.add("time", time: Timestamp(nanoseconds: record.accepted))
                json.add("id", number: record.id)
                json.add("relay", record.relay)
                json.add("generation", number: record.generation)
                json.add("client", record.clientText)
                json.add("listener", record.listener.description)
                json.add("upstream", record.upstream)
            }
            return EventHub.Item(audience: .relay(record.relay), text: EventHub.event("opened", json.bytes))
        case .closed(let record):
            var json = JSONText()
            let facts = collector.services.status.now
            if facts.isReplaced {
                // For the process that took over, which keeps it after this one has ended.
                let settings = facts.configuration.relays.first { $0.name == record.relay }
                ConnectionView.write(record, to: &json) { json in
                    let origin = collector.services.status.settingsOrigin
                    let story = Story.of(
                        record, timeouts: settings?.timeouts, from: origin, handshakes: .init(settings))
                    json.list("story", story) { $0.element($1) }
                }
            } else {
                json.object(of: record)
            }
            return EventHub.Item(audience: .relay(record.relay), text: EventHub.event("closed", json.bytes))
        case .reload(let report):
            return EventHub.Item(audience: .all, text: EventHub.event("reload", StatusView.reload(report)))
        case .draining:
            return EventHub.Item(audience: .all, text: EventHub.event("draining", Array("{}".utf8)))
        }
    }
}
