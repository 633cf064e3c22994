public import Configuration
internal import EventLoop
internal import Logging
import Recording
public import Relay
public import Sockets

/// A running `RelayService` between peers of the test, with everything that it reported.
///
/// After the body the service is stopped and joined. The test fails if a descriptor, a thread, a connection or a record
/// is left over or missing, if two records have the same ID, or if the tap saw a different number of bytes than was
/// counted.
public final class RelayHarness: Sendable {
    /// The pump that the flows may use.
    public enum Pump: String, CaseIterable, Sendable {
        /// A live tap reads along, so everything is copied.
        case copy
        /// The flow chooses: it copies messages and splices streams.
        case splice
    }

    private struct Heard: Sendable {
        var records: [ConnectionRecord] = []
        var stops = 0
    }

    private struct FlowID: Hashable, Sendable {
        var connection: UInt64
        var direction: Direction
    }

    /// The running service.
    public let service: RelayService
    /// Its log.
    public let log: LogCapture
    private let heard: Monitor<Heard>
    private let tapped: Monitor<[FlowID: UInt64]>

    private init(
        _ configuration: Configuration, _ pump: Pump, _ tuning: RelayService.Tuning, _ log: LogCapture
    ) throws {
        let heard = Monitor(Heard())
        let tapped = Monitor<[FlowID: UInt64]>([:])
        var observer = Observer(
            ended: { record in heard.withLock { $0.records.append(record) } },
            stopped: { heard.withLock { $0.stops += 1 } })
        if pump == .copy {
            observer.traffic = { id, direction, bytes in
                let count = UInt64(bytes.byteCount)
                tapped.withLock { $0[FlowID(connection: id, direction: direction), default: 0] += count }
            }
        }
        service = try RelayService.start(configuration, observer: observer, logger: log.logger, tuning: tuning)
        self.log = log
        self.heard = heard
        self.tapped = tapped
    }

    /// Runs a body with a service of these relays, alone in the process.
    public static func run(
        _ relays: [RelaySettings], pump: Pump = .splice, workers: Int = 1, tuning: RelayService.Tuning = .init(),
        _ body: (RelayHarness) async throws -> Void
    ) async throws {
        try await Exclusive.run {
            try await runAlone(relays, pump: pump, workers: workers, tuning: tuning, body)
        }
    }

    /// The same for a body that is already alone in the process.
    public static func runAlone(
        _ relays: [RelaySettings], pump: Pump = .splice, workers: Int = 1, tuning: RelayService.Tuning = .init(),
        _ body: (RelayHarness) async throws -> Void
    ) async throws {
        let harness = try RelayHarness(
            Configuration(workers: .exactly(workers), relays: relays), pump, tuning, LogCapture())
        do {
            try await body(harness)
        } catch {
            // Peers must not keep descriptors open that the check would attribute to the relay.
            try? harness.end()
            throw error
        }
        try harness.end()
    }

    /// Runs a body with one relay to an upstream listener of the test.
    public static func run(
        pump: Pump = .splice, workers: Int = 1, timeouts: Timeouts = Timeouts(connect: .seconds(60)),
        listen: ListenAddress = .address(.ipv4(.loopback, port: 0)),
        upstream: SocketAddress = .ipv4(.loopback, port: 0), receiveBuffer: Int? = nil,
        tuning: RelayService.Tuning = .init(), _ body: (RelayHarness, PeerListener) async throws -> Void
    ) async throws {
        try await Exclusive.run {
            let listener = try PeerListener(upstream, receiveBuffer: receiveBuffer)
            let relay = RelaySettings(
                name: "relay", listen: [listen], upstream: .address(listener.address), timeouts: timeouts)
            try await runAlone([relay], pump: pump, workers: workers, tuning: tuning) { try await body($0, listener) }
        }
    }

    // MARK: Peers

    /// The address of a relay: its first listener, or the first one of a family.
    public func listener(_ relay: String = "relay", family: CInt? = nil) throws -> SocketAddress {
        guard
            let found = service.listeners.first(where: {
                $0.relay == relay && (family == nil || $0.address.family == family)
            })
        else { throw TestFailure("no listener of \(relay)") }
        return found.address
    }

    /// A client of a relay.
    public func connect(_ relay: String = "relay", receiveBuffer: Int? = nil) throws -> Peer {
        try Peer.connect(to: listener(relay), receiveBuffer: receiveBuffer)
    }

    /// A client, and the upstream's end of its connection. One at a time, so that both ends belong together.
    public func pair(
        _ upstream: PeerListener, receiveBuffer: Int? = nil
    ) throws -> (client: Peer, upstream: Peer) {
        let client = try connect(receiveBuffer: receiveBuffer)
        return (client, try upstream.accept())
    }

    // MARK: Records

    /// Waits until this many connections have ended since the start, and returns their records in the order of their
    /// ends.
    @discardableResult
    public func ended(_ count: Int = 1, within: Duration = Deadline.usual) throws -> [ConnectionRecord] {
        try heard.wait(for: "\(count) ended connections", within: within) {
            $0.records.count >= count ? $0.records : nil
        }
    }

    /// Waits until this many connections of a relay have ended, and returns the record of the last one.
    public func lastEnded(_ count: Int, of relay: String) throws -> ConnectionRecord {
        try heard.wait(for: "\(count) ended connections of \(relay)") { heard in
            let records = heard.records.filter { $0.relay == relay }
            return records.count == count ? records.last : nil
        }
    }

    /// Waits for the end of the only connection.
    public func end(within: Duration = Deadline.usual) throws -> ConnectionRecord {
        let records = try ended(1, within: within)
        guard records.count == 1 else { throw TestFailure("\(records.count) records, not one") }
        return records[0]
    }

    /// Waits for the end of a client's connection. TCP clients only, because the record is found by their address.
    public func end(of client: Peer, within: Duration = Deadline.usual) throws -> ConnectionRecord {
        try heard.wait(for: "the end of \(client.address)'s connection", within: within) { heard in
            heard.records.last { $0.client == client.address }
        }
    }

    /// The number of ended connections.
    public var endedCount: Int { heard.withLock { $0.records.count } }

    /// Waits until this many connections are open.
    public func awaitOpen(_ count: Int) throws {
        try Deadline.poll("\(count) connections open, not \(service.openConnections)") {
            service.openConnections == count
        }
    }

    /// The current record of the only open connection.
    public func live() async throws -> ConnectionRecord {
        let open = await service.connections()
        guard open.count == 1 else { throw TestFailure("\(open.count) connections open, not one") }
        return open[0]
    }

    /// Waits until the record of the open connection satisfies a condition. It polls, because counters cause no event.
    @discardableResult
    public func live(_ what: String, _ isWanted: (ConnectionRecord) -> Bool) async throws -> ConnectionRecord {
        let deadline = Deadline()
        while true {
            let record = try await live()
            if isWanted(record) { return record }
            guard !deadline.isOver else { throw TestFailure("deadline passed: \(what); there was \(record)") }
            Deadline.letPass(.milliseconds(2))
        }
    }

    /// The share of a core that the workers use while nothing moves.
    public func idleShare() -> Double {
        ProcessStats.busyShare(ofThreads: "worker-")
    }

    // MARK: Ending

    /// Waits for the workers' threads, with a deadline.
    public func join() throws {
        let service = service
        try Background("join") { service.join() }.value()
    }

    private func end() throws {
        if heard.withLock({ $0.stops }) == 0 {
            service.stop()
            try join()
        }
        _ = try heard.wait(for: "the workers say that they stopped") { $0.stops == 1 ? true : nil }
        // They report the end a moment before it, and the system lists them a moment longer.
        try Deadline.poll("the workers' threads end") { ProcessStats.threads(named: "worker-").isEmpty }
        guard service.openConnections == 0 else { throw TestFailure("\(service.openConnections) connections left") }
        try checkRecords()
    }

    private func checkRecords() throws {
        let records = heard.withLock { $0.records }.sorted { $0.id < $1.id }
        for (place, record) in records.enumerated() where record.id != UInt64(place + 1) {
            throw TestFailure("the records have a gap or a double at \(place + 1): \(record)")
        }
        for record in records {
            guard let end = record.end else { throw TestFailure("a record without an end: \(record)") }
            guard end.duration >= 0, record.splicedUp <= record.bytesUp, record.splicedDown <= record.bytesDown,
                (record.firstByteDuration == nil) == (record.bytesDown == 0),
                record.upstreamAddress != nil || record.connectDuration == nil
            else { throw TestFailure("a record that contradicts itself: \(record)") }
        }
        let tapped = tapped.withLock { $0 }
        guard !tapped.isEmpty else { return }
        for record in records {
            let up = tapped[FlowID(connection: record.id, direction: .up)] ?? 0
            let down = tapped[FlowID(connection: record.id, direction: .down)] ?? 0
            guard up == record.bytesUp, down == record.bytesDown else {
                throw TestFailure("the tap took \(up) up and \(down) down of \(record)")
            }
        }
    }
}
