internal import Sockets
internal import Synchronization

/// What a connection of a relay with `upstream: original-destination` holds beside the rest, on its worker's thread.
final class Interception {
    /// Where the client wanted to go; nil where nobody knows.
    let destination: SocketAddress?
    /// Why it is not taken there; nil when it is.
    var refusal: DestinationRefusal?
    private let paths: InterceptedPaths
    private var taken: [InterceptedPaths.Path] = []

    init(to destination: SocketAddress?, _ paths: InterceptedPaths) {
        self.destination = destination
        self.paths = paths
    }

    /// Whether a socket between an end and the destination is one that both comes from and goes to Tapline: the client's
    /// was opened by Tapline itself, or the upstream's was redirected back to it. `end` is the socket's other end. Noted
    /// until `end()`.
    func comesBack(_ end: SocketAddress?) -> Bool {
        guard let end, let destination else { return false }
        let path = InterceptedPaths.Path(from: end, to: destination)
        guard paths.enter(path) else {
            refusal = .ownTraffic
            return true
        }
        taken.append(path)
        return false
    }

    /// The connection is over.
    func end() {
        for path in taken { paths.leave(path) }
        taken = []
    }
}

/// The ends of every TCP connection that an intercepting relay has accepted or opened, from the opener's view: where it
/// comes from and where it wanted to go. Any thread: locked.
///
/// When rules redirect Tapline's own upstream sockets to it, it accepts what it has just opened, and opens another for
/// that, until every descriptor is gone. Both ends of such a connection are noted here under the same pair, for
/// redirecting changes the destination only; whichever comes second finds the other, whatever the order in which
/// workers come to it. Two connections of one network namespace cannot have the same pair otherwise.
final class InterceptedPaths: Sendable {
    struct Path: Hashable, Sendable {
        private let source: SocketAddress
        private let destination: SocketAddress

        init(from source: SocketAddress, to destination: SocketAddress) {
            self.source = source.withoutScope
            self.destination = destination.withoutScope
        }
    }

    private let paths = Mutex<Set<Path>>([])
    private let lastTold = Mutex<UInt64>(0)

    /// Notes a pair; false where it is noted already.
    func enter(_ path: Path) -> Bool { paths.withLock { $0.insert(path).inserted } }

    /// Forgets a pair.
    func leave(_ path: Path) { paths.withLock { _ = $0.remove(path) } }

    /// Whether to say that Tapline's own traffic comes back: at once, and then at most once in ten seconds. `now` is the
    /// monotonic clock's, in nanoseconds.
    func mayTell(_ now: UInt64) -> Bool {
        lastTold.withLock { last in
            guard last == 0 || now &- last >= 10_000_000_000 else { return false }
            last = now
            return true
        }
    }
}

extension SocketAddress {
    /// The interface of a link-local address is told by one end of a connection and not always by the other.
    fileprivate var withoutScope: SocketAddress {
        if case .ipv6(let address, let port, _) = self { .ipv6(address, port: port) } else { self }
    }
}
