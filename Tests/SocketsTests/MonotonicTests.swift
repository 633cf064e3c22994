import Sockets
import Testing

struct MonotonicTests {
    @Test(
        arguments: [
            (5, 5, 0), (5, 7, 2), (7, 5, 0), (0, .max, .max), (.max, 0, 0), (1, .max, .max - 1),
        ] as [(UInt64, UInt64, UInt64)])
    func elapsed_isNeverLessThanNothing(start: UInt64, now: UInt64, expected: UInt64) {
        #expect(Monotonic.elapsed(from: start, to: now) == expected)
    }

    @Test func throttle_allowsOnceInAPeriod_alsoWhenTheClockGoesBack() {
        var throttle = Throttle(every: 10)
        let allowed = [UInt64]([0, 9, 10, 3, 19, .max, 0]).filter { throttle.allows(at: $0) }
        #expect(allowed == [0, 10, .max])
    }
}
