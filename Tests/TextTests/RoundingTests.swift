import Testing

@testable import Text

@Suite struct RoundingTests {
    @Test(
        arguments: [
            (.zero, 0), (.nanoseconds(1), 1), (.milliseconds(1), 1), (.microseconds(1001), 2),
            (.seconds(3600), 3_600_000), (.nanoseconds(999_999_999), 1000), (.milliseconds(-5), 0), (.seconds(-1), 0),
            (.nanoseconds(-1), 0),
        ] as [(Duration, UInt64)])
    func duration_inMilliseconds_roundsUpSoThatOnlyZeroIsZero(duration: Duration, milliseconds: UInt64) {
        #expect(duration.millisecondsRoundedUp == milliseconds)
    }

    @Test(
        arguments: [
            (.zero, 0), (.nanoseconds(7), 7), (.seconds(2), 2_000_000_000), (.seconds(-1), 0),
            (.seconds(Int64.max), .max),
        ] as [(Duration, Int64)])
    func duration_inNanoseconds_isClamped(duration: Duration, nanoseconds: Int64) {
        #expect(duration.nanoseconds == nanoseconds)
    }

    @Test func longDurations_areClamped() {
        #expect(Duration.seconds(Int64.max).millisecondsRoundedUp == .max)
        #expect(Milliseconds.of(nanoseconds: 1_999_999) == 1 && Milliseconds.of(nanoseconds: -1) == 0)
    }
}
