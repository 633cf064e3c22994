internal import Synchronization
internal import Text

/// The older processes whose connections have not all ended.
///
/// The supervisor adds and removes them; any thread may read them. The admin server's thread queries them.
public final class Predecessors: Sendable {
    /// A predecessor in the API's answers.
    struct State: Sendable {
        let id: Int32
        /// Its `/v1/status`; nil if it does not answer.
        let status: JSONValue?
        /// Why nothing but the process id is known; nil if it answers.
        let trouble: String?

        /// Whether it offers a way to ask it.
        var isReachable: Bool { trouble != Self.withoutAccess }

        fileprivate static let withoutAccess = "its connections cannot be listed"

        /// One that did not answer.
        static func silent(_ predecessor: Predecessor) -> State {
            State(
                id: predecessor.id, status: nil,
                trouble: predecessor.access == nil ? withoutAccess : "it does not answer")
        }
    }

    private struct Contents {
        var known: [Predecessor] = []
        var links: [PredecessorLink] = []
        var thread: LoopExecutor?
        var ended = EndedElsewhere()
        var endedHook: (@Sendable (JSONValue) -> Void)?
    }

    private let contents = Mutex(Contents())

    /// None.
    public init() {}

    // MARK: The supervisor's thread

    /// Adds an older process. It is removed when its admin API ends; one without access stays until `remove`.
    public func add(_ predecessor: Predecessor) {
        let thread = contents.withLock { contents -> LoopExecutor? in
            guard !contents.known.contains(where: { $0.id == predecessor.id }) else { return nil }
            contents.known.append(predecessor)
            return contents.thread
        }
        if let thread { link(predecessor, on: thread) }
    }

    /// The process has ended.
    public func remove(_ id: Int32) {
        contents.withLock { contents in
            contents.known.removeAll { $0.id == id }
            contents.links.removeAll { $0.predecessor.id == id }
        }
    }

    /// Another process took over, and queries them from now on. Their ended connections stay.
    public func leave() {
        contents.withLock { contents in
            contents.known = []
            contents.links = []
        }
    }

    /// The older processes that the next process can reach.
    public var reachable: [Predecessor] { contents.withLock { $0.known.filter { $0.access != nil } } }

    // MARK: The admin server's thread

    /// The thread exists from now on. `ended` is called for each connection that ends in a predecessor.
    func start(on thread: LoopExecutor, ended: @escaping @Sendable (JSONValue) -> Void) {
        let known = contents.withLock { contents in
            contents.thread = thread
            contents.endedHook = ended
            return contents.known
        }
        for predecessor in known { link(predecessor, on: thread) }
    }

    private func link(_ predecessor: Predecessor, on thread: LoopExecutor) {
        guard let link = PredecessorLink(predecessor, on: thread) else { return }
        contents.withLock { $0.links.append(link) }
        Task(executorPreference: thread) { [self] in
            await link.follow { [self] connection, isNew in
                let hook = contents.withLock { contents in
                    contents.ended.add(connection, of: predecessor.id) && isNew ? contents.endedHook : nil
                }
                hook?(connection)
            }
            remove(predecessor.id)
        }
    }

    /// The state of each, oldest first.
    func states() async -> [State] {
        let (known, links) = contents.withLock { ($0.known, $0.links) }
        let answers = await Self.each(links) { await $0.status() }
        let byID = Dictionary(zip(links.map(\.predecessor.id), answers), uniquingKeysWith: { first, _ in first })
        return known.map { predecessor in
            guard let answer = byID[predecessor.id].flatMap(\.self) else { return .silent(predecessor) }
            return State(id: predecessor.id, status: answer, trouble: nil)
        }
    }

    /// The open connections of those that answer, and those that do not.
    func connections() async -> (list: [JSONValue], unanswered: [State]) {
        await lists { await $0.connections() }
    }

    /// The relays of those that answer, without those that have no open connection, and the predecessors that do not
    /// answer.
    func relays() async -> (list: [JSONValue], unanswered: [State]) {
        await lists { await $0.relays() }
    }

    private func lists(
        _ ask: @escaping @Sendable (PredecessorLink) async -> [JSONValue]?
    ) async -> (list: [JSONValue], unanswered: [State]) {
        let (known, links) = contents.withLock { ($0.known, $0.links) }
        let answers = await Self.each(links, ask)
        let answered = Set(zip(links, answers).compactMap { $1 == nil ? nil : $0.predecessor.id })
        return (answers.compactMap(\.self).flatMap(\.self), unanswered(known, answered))
    }

    /// Those that did not answer and have not ended meanwhile.
    private func unanswered(_ asked: [Predecessor], _ answered: Set<Int32>) -> [State] {
        let left = contents.withLock { Set($0.known.map(\.id)) }
        return asked.filter { !answered.contains($0.id) && left.contains($0.id) }.map { .silent($0) }
    }

    /// A connection, open or ended.
    func connection(_ id: UInt64) async -> PredecessorLookup<JSONValue> {
        if let ended = contents.withLock({ $0.ended.connection(id) }) { return .found(ended) }
        return await lookUp { await $0.connection(id) }
    }

    /// Ends a connection. Finds the process that had it.
    func kill(_ id: UInt64) async -> PredecessorLookup<Int32> {
        await lookUp { await $0.kill(id) }
    }

    private func lookUp<Value: Sendable>(
        _ ask: @escaping @Sendable (PredecessorLink) async -> PredecessorReply<Value>
    ) async -> PredecessorLookup<Value> {
        let (known, links) = contents.withLock { ($0.known, $0.links) }
        var answered: Set<Int32> = []
        for (link, reply) in zip(links, await Self.each(links, ask)) {
            switch reply {
            case .found(let value): return .found(value)
            case .nothing: answered.insert(link.predecessor.id)
            case .silent: break
            }
        }
        let silent = unanswered(known, answered)
        return silent.isEmpty ? .nothing : .unanswered(silent)
    }

    /// A relay that this process does not have: found with the process that has it, nil if its connections have ended.
    func relay(_ name: String) async -> PredecessorLookup<Int32?> {
        let (list, silent) = await relays()
        if let relay = list.first(where: { $0["name"].text == name }) {
            return .found(relay[ConnectionView.processKey].count.map { Int32(clamping: $0) })
        }
        if contents.withLock({ $0.ended.has(relay: name) }) { return .found(nil) }
        return silent.isEmpty ? .nothing : .unanswered(silent)
    }

    /// The last connections that ended in a predecessor, newest first.
    var ended: [JSONValue] { contents.withLock { $0.ended.latestFirst } }

    /// Queries all at once, so that several that hang take no longer than one.
    private static func each<Answer: Sendable>(
        _ links: [PredecessorLink], _ ask: @escaping @Sendable (PredecessorLink) async -> Answer
    ) async -> [Answer] {
        guard !links.isEmpty else { return [] }
        return await withTaskGroup { group in
            for (index, link) in links.enumerated() { group.addTask { (index, await ask(link)) } }
            var answers: [(Int, Answer)] = []
            for await answer in group { answers.append(answer) }
            return answers.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }
}
