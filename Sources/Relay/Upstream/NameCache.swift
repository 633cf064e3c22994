internal import EventLoop
internal import Logging
internal import Sockets

/// What a worker remembers of its upstreams' names. Its loop's thread only; it grows with the names of the
/// configuration, not with its peers.
///
/// A good answer serves for 5 s and a bad one for 1 s; a name has one lookup under way, which all who wait for it share.
/// When the name service cannot answer, or has not for a second, the last good answer is used, and that is logged; until
/// it answers again nobody waits for it.
final class NameCache {
    /// Milliseconds.
    struct Terms {
        /// How long a good answer serves.
        var goodFor: UInt64 = 5000
        /// How long a bad one does.
        var badFor: UInt64 = 1000
        /// How long a lookup is waited for where there is a last good answer.
        var patience: UInt64 = 1000
    }

    /// Starts a lookup and returns what takes it back. The completion is called once, on the loop's thread, never from
    /// inside this call nor after the lookup was taken back.
    typealias LookUp = (
        EventLoop, String, @escaping (Result<[SocketAddress], NameLookup.Failure>) -> Void
    ) throws(UVError) -> () -> Void

    private struct Entry {
        var answer: Result<[SocketAddress], NameLookup.Failure>?
        var expires: UInt64 = 0
        var lastGood: [SocketAddress]?
        /// Takes back the lookup that is under way.
        var cancelLookup: (() -> Void)?
        var lookupStarted: UInt64 = 0
        /// The name service has failed, or is silent: the last good answer serves until it answers.
        var isFailing = false
        var waiters: [Dialer] = []
    }

    private let loop: EventLoop
    private let logger: Logger
    private let terms: Terms
    private let lookUp: LookUp
    private var entries: [String: Entry] = [:]

    init(
        loop: EventLoop, logger: Logger, terms: Terms = Terms(), lookUp: @escaping LookUp = NameCache.askTheSystem
    ) {
        self.loop = loop
        self.logger = logger
        self.terms = terms
        self.lookUp = lookUp
    }

    private static func askTheSystem(
        loop: EventLoop, host: String, completion: @escaping (Result<[SocketAddress], NameLookup.Failure>) -> Void
    ) throws(UVError) -> () -> Void {
        let lookup = try NameLookup(loop: loop, host: host, completion: completion)
        return { lookup.cancel() }
    }

    /// The answer that is there, in the order to be tried; nil when a lookup is needed: then the dialer is told later,
    /// unless it stops waiting.
    func addresses(of host: String, for dialer: Dialer) -> Result<[SocketAddress], NameLookup.Failure>? {
        var entry = entries[host] ?? Entry()
        if let answer = entry.answer, loop.now < entry.expires { return answer }
        if entry.cancelLookup == nil {
            do {
                entry.cancelLookup = try lookUp(loop, host) { [unowned self] in answered(host, $0) }
                entry.lookupStarted = loop.now
            } catch {
                // A name that libuv cannot even ask for, such as one too long.
                return .failure(.failed(error.description))
            }
        }
        defer { entries[host] = entry }
        if entry.isFailing, let last = entry.lastGood { return .success(last) }
        entry.waiters.append(dialer)
        return nil
    }

    /// Looks at the clock: whoever has waited long enough gets the last good answer.
    func checkPatience() {
        for (host, entry) in entries where entry.cancelLookup != nil && !entry.isFailing {
            guard loop.now &- entry.lookupStarted >= terms.patience, let last = entry.lastGood else { continue }
            entries[host]?.isFailing = true
            entries[host]?.waiters = []
            useLastGood(host, last, because: "no answer for \(terms.patience) ms")
            for dialer in entry.waiters { dialer.found(.success(last)) }
        }
    }

    private func useLastGood(_ host: String, _ last: [SocketAddress], because words: String) {
        logger.warning(
            "a name lookup failed; its last good answer is used",
            metadata: ["name": "\(host)", "error": "\(words)", "addresses": "\(last.count)"])
    }

    /// The dialer no longer waits. The lookup goes on, for others and for the cache.
    func stopWaiting(for host: String, _ dialer: Dialer) {
        entries[host]?.waiters.removeAll { $0 === dialer }
    }

    /// Takes back every lookup, so that the loop can end.
    func close() {
        for entry in entries.values { entry.cancelLookup?() }
        entries = [:]
    }

    private func answered(_ host: String, _ result: Result<[SocketAddress], NameLookup.Failure>) {
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
            entry.expires = loop.now + terms.goodFor
        case .failure(let failure):
            entry.expires = loop.now + terms.badFor
            if case .failed(let words) = failure, let last = entry.lastGood {
                answer = .success(last)
                if !entry.isFailing { useLastGood(host, last, because: words) }
                entry.isFailing = true
            } else if failure == .notFound {
                // An answer too: what the name once had, it has no more.
                entry.lastGood = nil
                entry.isFailing = false
            }
        }
        entry.answer = answer
        entries[host] = entry
        for dialer in waiters { dialer.found(answer) }
    }
}
