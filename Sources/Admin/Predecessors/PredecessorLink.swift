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

    /// Nil where the predecessor's API cannot be reached.
    init?(_ predecessor: Predecessor, on thread: LoopExecutor) {
        guard let access = predecessor.access else { return nil }
        self.predecessor = predecessor
        self.access = access
        self.thread = thread
        let request = { (path: String) in PredecessorRequest(predecessor: predecessor, access: access, path: path) }
        let status = request("/v1/status")
        statusAnswer = SharedAnswer(on: thread, lifetime: Self.lifetime) { await Self.json(status, on: thread) }
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

    /// One connection, open or ended; nil if it has none of this id, or does not answer.
    func connection(_ id: UInt64) async -> JSONValue? {
        guard let answer = await ask(.GET, id), answer.status == 200 else { return nil }
        return (try? JSONReader.read(answer.body))?.ofProcess(predecessor.id)
    }

    /// Ends one connection. Returns whether it was open; nil if the process does not answer.
    func kill(_ id: UInt64) async -> Bool? {
        await ask(.DELETE, id).map { $0.status == 200 }
    }

    private func ask(_ method: HTTPMethod, _ id: UInt64) async -> PredecessorRequest.Response? {
        guard !isSilent else { return nil }
        var request = PredecessorRequest(predecessor: predecessor, access: access, path: "/v1/connections/\(id)")
        request.method = method
        return note(try? await request.answer(on: thread.loop))
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
