internal import Sockets
internal import Synchronization

/// The paths of every TCP connection that intercepting relays have accepted or opened: the opener's address and its
/// original destination. Any thread: locked.
///
/// When rules redirect Tapline's own upstream sockets to it, it accepts the connection that it has just opened, and opens
/// another one for it, until no descriptor is left. Both ends of such a connection have the same path, because a redirect
/// changes the destination only; the end that is recorded second finds the first, in whatever order the workers handle
/// them. A connection that was opened and closed may still be in the accept queue, so its path is kept for some seconds.
/// Two equal paths that were both accepted, or both opened, are no loop: the first was not removed yet.
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
        /// Paths of connections that were opened and closed and may still be accepted: of this period and the previous one.
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

    /// How long at least a closed path is kept, milliseconds: longer than a connection waits in the accept queue.
    static let period: UInt64 = 3000
    /// The most paths of one period; with more the period ends early.
    private static let mostLate = 1 << 16

    private let state = Mutex(State())
    private let warnings = Mutex(Throttle(every: 10_000_000_000))

    /// Records a path that was accepted; false if it was opened here. `now` is a clock in milliseconds.
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

    /// Records a path that was opened; false if it was accepted here.
    func open(_ path: Path, _ now: UInt64) -> Bool {
        state.withLock { state in
            state.turnOver(now)
            guard state.accepted[path] == nil else { return false }
            state.opened[path, default: 0] += 1
            return true
        }
    }

    /// Removes a path that was accepted.
    func leave(accepted path: Path) {
        state.withLock { State.drop(path, from: &$0.accepted) }
    }

    /// Removes a path that was opened, at once or after a period.
    func leave(opened path: Path, mayComeYet: Bool, _ now: UInt64) {
        state.withLock { state in
            State.drop(path, from: &state.opened)
            state.turnOver(now)
            if mayComeYet { state.late.insert(path) }
        }
    }

    /// Whether to log that Tapline's own traffic comes back: at most once in ten seconds. `now` is the monotonic clock, in
    /// nanoseconds.
    func mayWarn(_ now: UInt64) -> Bool {
        warnings.withLock { $0.allows(at: now) }
    }
}
