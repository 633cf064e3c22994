internal import NIOCore
internal import NIOHTTP1
internal import Synchronization
internal import Text

/// One predecessor, as the admin API sees it: queries of all clients together, and its ended connections as they end.
///
/// Thread-safe; used on the admin server's thread.
final class PredecessorLink: Sendable {
    /// After a query without an answer there is none for this long: clients must not wait for a process that hangs.
    private static let pause = Duration.seconds(3)
    /// The time between two attempts to follow its events.
    private static let followPause = TimeAmount.milliseconds(500)
    /// The longest event that is read, bytes.
    private static let longestEvent = 1 << 20

    let predecessor: Predecessor
    private let access: Predecessor.Access
    private let thread: LoopExecutor
    private let silentUntil = Mutex<ContinuousClock.Instant?>(nil)
    private let statusAnswer: SharedAnswer<JSONValue?>
    private let connectionsAnswer: SharedAnswer<[JSONValue]?>
    private let relaysAnswer: SharedAnswer<[JSONValue]?>

    /// Nil where the predecessor's API cannot be reached.
    init?(_ predecessor: Predecessor, on thread: LoopExecutor) {
        guard let access = predecessor.access else { return nil }
        self.predecessor = predecessor
        self.access = access
        self.thread = thread
        let request = { (path: String) in PredecessorRequest(predecessor: predecessor, access: access, path: path) }
        let status = request("/v1/status")
        statusAnswer = SharedAnswer(on: thread, lifetime: Self.lifetime) { await Self.json(status, on: thread) }
        let relays = request("/v1/relays")
        relaysAnswer = SharedAnswer(on: thread, lifetime: { $0 == nil ? Self.pause : .milliseconds(200) }) {
            await Self.json(relays, on: thread)?["relays"].elements
        }
        let connections = request("/v1/connections?limit=\(Query.mostEntries)")
        connectionsAnswer = SharedAnswer(
            on: thread,
            lifetime: { answer in
                // Neither process spends more than a few percent of its time on it.
                answer.map { .milliseconds(200) + .microseconds($0.count * 400) } ?? Self.pause
            },
            ask: {
                await Self.json(connections, on: thread)?["connections"].elements.map { $0.ofProcess(predecessor.id) }
            })
    }

    private static func lifetime(_ answer: JSONValue?) -> Duration { answer == nil ? pause : .milliseconds(200) }

    private static func json(_ request: PredecessorRequest, on thread: LoopExecutor) async -> JSONValue? {
        guard let answer = try? await request.answer(on: thread.loop), answer.status == 200 else { return nil }
        return try? JSONReader.read(answer.body)
    }

    // MARK: Queries

    /// Its `/v1/status`; nil if it does not answer.
    func status() async -> JSONValue? { await statusAnswer.value() }

    /// Its open connections; nil if it does not answer.
    func connections() async -> [JSONValue]? {
        guard !isSilent else { return nil }
        return note(await connectionsAnswer.value())
    }

    /// Its relays that have open connections; nil if it does not answer.
    func relays() async -> [JSONValue]? {
        guard !isSilent else { return nil }
        return note(await relaysAnswer.value())?.filter { $0["open"].count ?? 0 > 0 }
            .map { $0.ofProcess(predecessor.id).unconfigured }
    }

    /// One connection, open or ended.
    func connection(_ id: UInt64) async -> PredecessorReply<JSONValue> {
        switch await ask(.GET, id) {
        case .found(let answer):
            guard let connection = try? JSONReader.read(answer.body) else { return .silent }
            return .found(connection.ofProcess(predecessor.id))
        case .nothing: return .nothing
        case .silent: return .silent
        }
    }

    /// Ends one connection, if it is open. Returns the process.
    ///
    /// Only a process that answers gets the request: one that was stopped would reset the connection when it continues,
    /// long after this API has said that it does not answer.
    func kill(_ id: UInt64) async -> PredecessorReply<Int32> {
        switch await connection(id) {
        case .found(let connection) where connection["reason"].isNull: break
        case .found, .nothing: return .nothing
        case .silent: return .silent
        }
        return switch await ask(.DELETE, id) {
        case .found: .found(predecessor.id)
        case .nothing: .nothing
        case .silent: .silent
        }
    }

    private func ask(_ method: HTTPMethod, _ id: UInt64) async -> PredecessorReply<PredecessorRequest.Response> {
        guard !isSilent else { return .silent }
        var request = PredecessorRequest(predecessor: predecessor, access: access, path: "/v1/connections/\(id)")
        request.method = method
        do throws(PredecessorRequest.Failure) {
            let answer = try await request.answer(on: thread.loop)
            switch answer.status {
            case 200: return .found(note(answer) ?? answer)
            case 404: return .nothing
            default: return .silent
            }
        } catch {
            if error == .gone { return .nothing }
            _ = note(nil as Bool?)
            return .silent
        }
    }

    private var isSilent: Bool {
        silentUntil.withLock { until in until.map { ContinuousClock.now < $0 } ?? false }
    }

    private func note<Value>(_ answer: Value?) -> Value? {
        silentUntil.withLock { $0 = answer == nil ? .now + Self.pause : nil }
        return answer
    }

    // MARK: Ended connections

    /// Passes on each connection that has ended, and those that end from now on (`isNew`), until the process has ended.
    /// Some are passed on twice.
    func follow(_ ended: @escaping @Sendable (_ connection: JSONValue, _ isNew: Bool) -> Void) async {
        let events = PredecessorRequest(predecessor: predecessor, access: access, path: "/v1/events")
        let past = PredecessorRequest(
            predecessor: predecessor, access: access, path: "/v1/closed?limit=\(Journal.mostClosed)")
        while true {
            let lines = Mutex(EventLines(longest: Self.longestEvent))
            do {
                // After the first event, so that none is missed in between.
                let hasBegun = Mutex(false)
                try await events.follow(on: thread.loop) { [thread] piece in
                    let isFirst = hasBegun.withLock { hasBegun in
                        defer { hasBegun = true }
                        return !hasBegun
                    }
                    if isFirst {
                        Task(executorPreference: thread) {
                            let answer = await Self.json(past, on: thread)
                            for connection in answer?["closed"].elements.reversed() ?? [] { ended(connection, false) }
                        }
                    }
                    for data in lines.withLock({ $0.add(piece) }) {
                        if let connection = try? JSONReader.read(data) { ended(connection, true) }
                    }
                }
            } catch {
                if error == .gone { return }
            }
            await thread.pause(Self.followPause)
        }
    }
}
