internal import EventLoop
internal import Logging
internal import Sockets

/// The addresses of upstreams' names, as last looked up. Its loop's thread only; any caller. Configured names stay; of names
/// that clients supply there are at most `mostRequested`.
///
/// A good answer is valid for 5 s and a bad one for 1 s. A name has at most one lookup in progress, which its callers
/// share. When the name service fails, or has not answered for a second, the last good answer is used, and that is
/// logged; until the service answers again no caller waits for it.
final class NameCache {
    /// A name's addresses in the order to be tried, or why there are none.
    typealias Answer = Result<[SocketAddress], NameLookup.Failure>

    /// Milliseconds.
    struct Terms {
        /// How long a good answer is valid.
        var goodFor: UInt64 = 5000
        /// How long a bad answer is valid.
        var badFor: UInt64 = 1000
        /// How long callers wait for a lookup if there is a last good answer.
        var patience: UInt64 = 1000
    }

    /// Who has supplied a name.
    enum Origin {
        /// A configuration: the name stays in the cache.
        case configuration
        /// A client (SOCKS, CONNECT): the name leaves when there are too many, and its lookup when no caller waits for it.
        case client
    }

    /// A caller that waits for a name, to cancel the wait.
    struct Ticket: Hashable {
        fileprivate let host: String
        fileprivate let number: UInt64
    }

    /// Starts a lookup and returns its cancellation. The completion is called once, on the loop's thread, never from
    /// inside this call nor after the cancellation.
    typealias LookUp = (EventLoop, String, @escaping (Answer) -> Void) throws(UVError) -> () -> Void

    private struct Entry {
        var origin: Origin
        var answer: Answer?
        var expires: UInt64 = 0
        var lastGood: [SocketAddress]?
        /// Cancels the lookup in progress.
        var cancelLookup: (() -> Void)?
        var lookupStarted: UInt64 = 0
        /// The loop's clock when a caller last wanted the name.
        var lastUsed: UInt64 = 0
        /// The name service has failed, or is silent: the last good answer is used until it answers.
        var isFailing = false
        var waiters: [(number: UInt64, completion: (Answer) -> Void)] = []
    }

    /// Names that clients have supplied.
    static let mostRequested = 1024

    private let loop: EventLoop
    private let logger: Logger
    private let terms: Terms
    private let lookUp: LookUp
    private var entries: [String: Entry] = [:]
    /// How many of them clients have supplied.
    private var requested = 0
    private var lastTicket: UInt64 = 0

    init(
        loop: EventLoop, logger: Logger, terms: Terms = Terms(), lookUp: @escaping LookUp = NameCache.askTheSystem
    ) {
        self.loop = loop
        self.logger = logger
        self.terms = terms
        self.lookUp = lookUp
    }

    private static func askTheSystem(
        loop: EventLoop, host: String, completion: @escaping (Answer) -> Void
    ) throws(UVError) -> () -> Void {
        let lookup = try NameLookup(loop: loop, host: host, completion: completion)
        return { lookup.cancel() }
    }

    /// The number of names in the cache.
    var count: Int { entries.count }

    // MARK: Callers

    /// The answer in force; nil while a lookup is in progress, which this starts if necessary: then call `wait`.
    func answer(for host: String, from origin: Origin = .configuration) -> Answer? {
        let known = entries[host]
        if known == nil, origin == .client, !makeRoom() {
            return .failure(.failed("\(Self.mostRequested) other names are being looked up"))
        }
        var entry = known ?? Entry(origin: origin)
        if origin == .configuration { entry.origin = .configuration }
        entry.lastUsed = loop.now
        if let answer = entry.answer, loop.now < entry.expires {
            set(entry, for: host)
            return answer
        }
        if entry.cancelLookup == nil {
            do {
                entry.cancelLookup = try lookUp(loop, host) { [unowned self] in answered(host, $0) }
                entry.lookupStarted = loop.now
            } catch {
                // libuv refuses some names at once, e.g. one that is too long. Such a name is not stored.
                return .failure(.failed(error.description))
            }
        }
        set(entry, for: host)
        if entry.isFailing, let last = entry.lastGood { return .success(last) }
        return nil
    }

    /// Calls the completion with the answer of the lookup in progress: after `answer` has returned nil, in the same turn
    /// of the loop.
    func wait(for host: String, _ completion: @escaping (Answer) -> Void) -> Ticket {
        precondition(entries[host]?.cancelLookup != nil, "NameCache: no lookup to wait for")
        lastTicket &+= 1
        entries[host]?.waiters.append((lastTicket, completion))
        return Ticket(host: host, number: lastTicket)
    }

    /// The completion is not called. A configured name's lookup continues, for the cache.
    func cancel(_ ticket: Ticket) {
        guard var entry = entries[ticket.host] else { return }
        entry.waiters.removeAll { $0.number == ticket.number }
        if entry.origin == .client, entry.waiters.isEmpty, let cancelLookup = entry.cancelLookup {
            cancelLookup()
            remove(ticket.host)
        } else {
            entries[ticket.host] = entry
        }
    }

    /// Cancels every lookup, so that the loop can end.
    func close() {
        for entry in entries.values { entry.cancelLookup?() }
        entries = [:]
        requested = 0
    }

    // MARK: The clock and the name service

    /// Gives callers that have waited for `patience` the last good answer. Called by the worker's sweep.
    func checkPatience() {
        for (host, entry) in entries where entry.cancelLookup != nil && !entry.isFailing {
            guard loop.now &- entry.lookupStarted >= terms.patience, let last = entry.lastGood else { continue }
            entries[host]?.isFailing = true
            logLastGood(host, last, because: "no answer for \(terms.patience) ms")
            serveWaiters(of: host, .success(last))
        }
    }

    /// Makes room for a name that a client has supplied: of a full cache an eighth leaves, the names that have gone unused
    /// longest. False if every such name has a lookup in progress.
    private func makeRoom() -> Bool {
        if requested >= Self.mostRequested {
            let idle = entries.filter { $0.value.origin == .client && $0.value.cancelLookup == nil }
            for (host, _) in idle.sorted(by: { $0.value.lastUsed < $1.value.lastUsed }).prefix(Self.mostRequested / 8) {
                remove(host)
            }
        }
        return requested < Self.mostRequested
    }

    private func set(_ entry: Entry, for host: String) {
        let former = entries.updateValue(entry, forKey: host)
        if former?.origin == .client { requested -= 1 }
        if entry.origin == .client { requested += 1 }
    }

    private func remove(_ host: String) {
        if entries.removeValue(forKey: host)?.origin == .client { requested -= 1 }
    }

    /// Calls those that wait now, one at a time: each may cancel another's wait, or start a wait of its own.
    private func serveWaiters(of host: String, _ answer: Answer) {
        let last = lastTicket
        while let waiter = entries[host]?.waiters.first, waiter.number <= last {
            entries[host]?.waiters.removeFirst()
            waiter.completion(answer)
        }
    }

    private func logLastGood(_ host: String, _ last: [SocketAddress], because words: String) {
        logger.warning(
            "a name lookup failed; the last good answer is used",
            metadata: ["name": "\(host)", "error": "\(words)", "addresses": .stringConvertible(last.count)])
    }

    private func answered(_ host: String, _ result: Answer) {
        guard var entry = entries[host] else { return }
        entry.cancelLookup = nil
        var answer = result
        switch result {
        case .success(let addresses):
            let ordered = AddressOrder.interleaved(addresses)
            answer = .success(ordered)
            entry.lastGood = ordered
            entry.isFailing = false
            entry.expires = loop.now &+ terms.goodFor
        case .failure(let failure):
            entry.expires = loop.now &+ terms.badFor
            if case .failed(let words) = failure, let last = entry.lastGood {
                answer = .success(last)
                if !entry.isFailing { logLastGood(host, last, because: words) }
                entry.isFailing = true
            } else if failure == .notFound {
                // The service has answered: the name no longer has its former addresses.
                entry.lastGood = nil
                entry.isFailing = false
            }
        }
        entry.answer = answer
        entries[host] = entry
        serveWaiters(of: host, answer)
    }
}
