internal import Sockets
internal import Synchronization

/// The part of a connection that only relays with `upstream: original-destination` have. On its worker's thread.
final class Interception {
    /// Where the client wanted to go; nil where the system does not say.
    let destination: SocketAddress?
    /// Why it is not taken there; nil when it is.
    var refusal: DestinationRefusal?
    private let paths: InterceptedPaths
    private var accepted: InterceptedPaths.Path?
    private var opened: [InterceptedPaths.Path] = []

    init(to destination: SocketAddress?, _ paths: InterceptedPaths) {
        self.destination = destination
        self.paths = paths
    }

    /// Whether the client's socket is one that Tapline itself has opened, and that rules have brought back. `source` is
    /// where it comes from. Noted until `end()`. `now` is the loop's clock.
    func isOwn(_ source: SocketAddress, _ now: UInt64) -> Bool {
        guard let path = path(from: source) else { return false }
        guard paths.accept(path, now) else {
            refusal = .ownTraffic
            return true
        }
        accepted = path
        return false
    }

    /// Whether the socket that was opened to the destination is one that Tapline itself has accepted. `source` is its own
    /// end. Noted until `end()`. `now` is the loop's clock.
    func comesBack(_ source: SocketAddress?, _ now: UInt64) -> Bool {
        guard let source, let path = path(from: source) else { return false }
        guard paths.open(path, now) else {
            refusal = .ownTraffic
            return true
        }
        opened.append(path)
        return false
    }

    private func path(from source: SocketAddress) -> InterceptedPaths.Path? {
        destination.map { InterceptedPaths.Path(from: source, to: $0) }
    }

    /// The connection is over. `wasAnswered` says that bytes came from the upstream: then it is not Tapline itself.
    func end(wasAnswered: Bool, _ now: UInt64) {
        if let accepted { paths.leave(accepted: accepted) }
        for path in opened { paths.leave(opened: path, mayComeYet: !wasAnswered, now) }
        accepted = nil
        opened = []
    }
}

/// The ends of every TCP connection that intercepting relays have accepted or opened, from the opener's view: where it
/// comes from and where it wanted to go. Any thread: locked.
///
/// When rules redirect Tapline's own upstream sockets to it, it accepts what it has just opened, and opens another for
/// that, until every descriptor is gone. Both ends of such a connection have the same pair, for redirecting changes the
/// destination only; whichever is noted second finds the other, whatever the order in which workers come to them. What
/// was opened and closed again may still wait to be accepted: it is remembered for some seconds. Of two ends that were
/// both accepted, or both opened, one is only not forgotten yet.
final class InterceptedPaths: Sendable {
    struct Path: Hashable, Sendable {
        private let source: SocketAddress
        private let destination: SocketAddress

        init(from source: SocketAddress, to destination: SocketAddress) {
            self.source = source.withoutScope
            self.destination = destination.withoutScope
        }
    }

    private struct State {
        var accepted: [Path: Int] = [:]
        var opened: [Path: Int] = [:]
        /// What was opened, is closed and may come yet: of this period and of the one before.
        var late: Set<Path> = []
        var later: Set<Path> = []
        var periodBegan: UInt64 = 0

        mutating func turnOver(_ now: UInt64) {
            let elapsed = Monotonic.elapsed(from: periodBegan, to: now)
            guard elapsed >= InterceptedPaths.period || late.count >= InterceptedPaths.mostLate else {
                return
            }
            later = elapsed < 2 * InterceptedPaths.period ? late : []
            late = []
            periodBegan = now
        }

        static func drop(_ path: Path, from counts: inout [Path: Int]) {
            guard let count = counts[path] else { return }
            counts[path] = count > 1 ? count - 1 : nil
        }
    }

    /// How long at least what was closed is remembered, milliseconds: longer than it waits in a queue.
    static let period: UInt64 = 3000
    /// The most paths of one period; with more the period ends early.
    private static let mostLate = 1 << 16

    private let state = Mutex(State())
    private let warnings = Mutex(Throttle(every: 10_000_000_000))

    /// Notes a pair that was accepted; false where it was opened here. `now` is a clock in milliseconds.
    func accept(_ path: Path, _ now: UInt64) -> Bool {
        state.withLock { state in
            state.turnOver(now)
            guard state.opened[path] == nil, !state.late.contains(path), !state.later.contains(path) else {
                return false
            }
            state.accepted[path, default: 0] += 1
            return true
        }
    }

    /// Notes a pair that was opened; false where it was accepted here.
    func open(_ path: Path, _ now: UInt64) -> Bool {
        state.withLock { state in
            state.turnOver(now)
            guard state.accepted[path] == nil else { return false }
            state.opened[path, default: 0] += 1
            return true
        }
    }

    /// Forgets a pair that was accepted.
    func leave(accepted path: Path) {
        state.withLock { State.drop(path, from: &$0.accepted) }
    }

    /// Forgets a pair that was opened, at once or after a while.
    func leave(opened path: Path, mayComeYet: Bool, _ now: UInt64) {
        state.withLock { state in
            State.drop(path, from: &state.opened)
            state.turnOver(now)
            if mayComeYet { state.late.insert(path) }
        }
    }

    /// Whether to say that Tapline's own traffic comes back: at once, and then at most once in ten seconds. `now` is the
    /// monotonic clock's, in nanoseconds.
    func mayTell(_ now: UInt64) -> Bool {
        warnings.withLock { $0.allows(at: now) }
    }
}

extension SocketAddress {
    /// The interface of a link-local address is told by one end of a connection and not always by the other.
    fileprivate var withoutScope: SocketAddress {
        if case .ipv6(let address, let port, _) = self { .ipv6(address, port: port) } else { self }
    }
}
