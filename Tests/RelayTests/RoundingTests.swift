import Testing

@testable import Relay

@Suite struct RoundingTests {
    @Test(
        arguments: [
            (.zero, 0), (.nanoseconds(1), 1), (.milliseconds(1), 1), (.microseconds(1001), 2),
            (.seconds(3600), 3_600_000), (.nanoseconds(999_999_999), 1000), (.milliseconds(-5), 0), (.seconds(-1), 0),
            (.nanoseconds(-1), 0),
        ] as [(Duration, UInt64)])
    func duration_inMilliseconds_roundsUpSoThatOnlyZeroIsZero(duration: Duration, milliseconds: UInt64) {
        #expect(duration.wholeMilliseconds == milliseconds)
    }
}
