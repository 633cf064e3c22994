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

    private var links: [PredecessorLink] { contents.withLock { $0.links } }

    /// The state of each, oldest first.
    func states() async -> [State] {
        let (known, links) = contents.withLock { ($0.known, $0.links) }
        let answers = await Self.each(links) { await $0.status() }
        let byID = Dictionary(zip(links.map(\.predecessor.id), answers), uniquingKeysWith: { first, _ in first })
        return known.map { predecessor in
            guard let answer = byID[predecessor.id] else {
                return State(id: predecessor.id, status: nil, trouble: "its connections cannot be listed")
            }
            return State(
                id: predecessor.id, status: answer, trouble: answer == nil ? "it does not answer" : nil)
        }
    }

    /// The open connections of those that answer.
    func connections() async -> [JSONValue] {
        await Self.each(links) { await $0.connections() ?? [] }.flatMap(\.self)
    }

    /// A connection, open or ended; nil if none is known.
    func connection(_ id: UInt64) async -> JSONValue? {
        if let ended = contents.withLock({ $0.ended.connection(id) }) { return ended }
        return await Self.each(links) { await $0.connection(id) }.lazy.compactMap(\.self).first
    }

    /// Ends a connection. Returns the process that had it, or nil.
    func kill(_ id: UInt64) async -> Int32? {
        let links = links
        return zip(links, await Self.each(links) { await $0.kill(id) }).first { $1 == true }?.0.predecessor.id
    }

    /// The last connections that ended in a predecessor, latest first.
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
