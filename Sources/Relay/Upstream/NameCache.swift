internal import EventLoop
internal import Logging
internal import Sockets

/// The addresses of upstreams' names, as last looked up. Its loop's thread only; any caller; at most `mostNames` names.
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

    /// A caller that waits for a name, to cancel the wait.
    struct Ticket: Hashable {
        fileprivate let host: String
        fileprivate let number: UInt64
    }

    /// Starts a lookup and returns its cancellation. The completion is called once, on the loop's thread, never from
    /// inside this call nor after the cancellation.
    typealias LookUp = (EventLoop, String, @escaping (Answer) -> Void) throws(UVError) -> () -> Void

    private struct Entry {
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

    /// Clients can supply names (SOCKS, CONNECT), so their number is bounded.
    static let mostNames = 1024

    private let loop: EventLoop
    private let logger: Logger
    private let terms: Terms
    private let lookUp: LookUp
    private var entries: [String: Entry] = [:]
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
    func answer(for host: String) -> Answer? {
        guard var entry = entries[host] ?? newEntry() else {
            return .failure(.failed("\(Self.mostNames) other names are being looked up"))
        }
        entry.lastUsed = loop.now
        defer { entries[host] = entry }
        if let answer = entry.answer, loop.now < entry.expires { return answer }
        if entry.cancelLookup == nil {
            do {
                entry.cancelLookup = try lookUp(loop, host) { [unowned self] in answered(host, $0) }
                entry.lookupStarted = loop.now
            } catch {
                // libuv refuses some names at once, e.g. one that is too long.
                return .failure(.failed(error.description))
            }
        }
        if entry.isFailing, let last = entry.lastGood { return .success(last) }
        return nil
    }

    /// Calls the completion with the answer of the lookup in progress: after `answer` has returned nil, in the same turn
    /// of the loop.
    func wait(for host: String, _ completion: @escaping (Answer) -> Void) -> Ticket {
        lastTicket &+= 1
        entries[host]?.waiters.append((lastTicket, completion))
        return Ticket(host: host, number: lastTicket)
    }

    /// The completion is not called. The lookup continues, for other callers and for the cache.
    func cancel(_ ticket: Ticket) {
        entries[ticket.host]?.waiters.removeAll { $0.number == ticket.number }
    }

    /// Cancels every lookup, so that the loop can end.
    func close() {
        for entry in entries.values { entry.cancelLookup?() }
        entries = [:]
    }

    // MARK: The clock and the name service

    /// Gives callers that have waited for `patience` the last good answer. Called by the worker's sweep.
    func checkPatience() {
        for (host, entry) in entries where entry.cancelLookup != nil && !entry.isFailing {
            guard loop.now &- entry.lookupStarted >= terms.patience, let last = entry.lastGood else { continue }
            entries[host]?.isFailing = true
            entries[host]?.waiters = []
            logLastGood(host, last, because: "no answer for \(terms.patience) ms")
            for waiter in entry.waiters { waiter.completion(.success(last)) }
        }
    }

    /// A new name's entry. If the cache is full, an eighth of it leaves first: the names that have gone unused longest. Nil
    /// if every name has a lookup in progress.
    private func newEntry() -> Entry? {
        if entries.count >= Self.mostNames {
            let idle = entries.filter { $0.value.cancelLookup == nil }
            for (host, _) in idle.sorted(by: { $0.value.lastUsed < $1.value.lastUsed }).prefix(Self.mostNames / 8) {
                entries[host] = nil
            }
        }
        return entries.count < Self.mostNames ? Entry() : nil
    }

    private func logLastGood(_ host: String, _ last: [SocketAddress], because words: String) {
        logger.warning(
            "a name lookup failed; its last good answer is used",
            metadata: ["name": "\(host)", "error": "\(words)", "addresses": "\(last.count)"])
    }

    private func answered(_ host: String, _ result: Answer) {
        guard var entry = entries[host] else { return }
        let waiters = entry.waiters
        entry.waiters = []
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
        for waiter in waiters { waiter.completion(answer) }
    }
}
