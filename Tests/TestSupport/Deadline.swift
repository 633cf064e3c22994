internal import Glibc

/// A moment of the monotonic clock after which a wait fails.
public struct Deadline: Sendable {
    /// Long enough for a loaded machine.
    public static let usual: Duration = .seconds(60)

    let nanoseconds: UInt64

    /// A deadline this far from now.
    public init(in duration: Duration = Deadline.usual) {
        let (seconds, attoseconds) = duration.components
        nanoseconds = Self.now + UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }

    /// The monotonic clock.
    public static var now: UInt64 {
        var time = Glibc.timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Whether it has passed.
    public var isOver: Bool { Self.now >= nanoseconds }

    /// Milliseconds until then, rounded up, for poll(2).
    var milliseconds: CInt {
        let now = Self.now
        return nanoseconds <= now ? 0 : CInt(min((nanoseconds - now + 999_999) / 1_000_000, 60_000))
    }

    var timespec: timespec {
        Glibc.timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    }

    /// Lets a window of time pass, for measurements over it: CPU time while nothing moves, a quiet flow. Never for
    /// waiting until something happens.
    public static func letPass(_ window: Duration) {
        let end = Deadline(in: window)
        while !end.isOver {
            var until = end.timespec
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nil)
        }
    }

    /// Polls every few milliseconds until the condition is true, for conditions without an event (a counter of the
    /// system, an answer of another process).
    public static func poll(_ what: String, within: Duration = usual, until isTrue: () throws -> Bool) throws {
        let deadline = Deadline(in: within)
        while try !isTrue() {
            guard !deadline.isOver else { throw TestFailure("deadline passed: \(what)") }
            letPass(.milliseconds(2))
        }
    }
}
