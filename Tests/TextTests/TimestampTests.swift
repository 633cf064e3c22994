import TestSupport
import Testing

@testable import Text

struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_378_500_123_999_999, "2026-11-22T20:15:00.123Z"),
            (951_782_399_999_000_000, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_000_000_000, "2024-02-29T23:59:59.000Z"),
            (1_709_251_200_000_000_000, "2024-03-01T00:00:00.000Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000Z"),
            (1_735_689_599_000_000_000, "2024-12-31T23:59:59.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (Int64.max, "2262-04-11T23:47:16.854Z"),
            (Int64.min, "1677-09-21T00:12:43.145Z"),
        ] as [(Int64, String)])
    func aMoment_isWrittenInUTCWithMilliseconds(nanoseconds: Int64, expected: String) {
        #expect(text { Timestamp(nanoseconds: nanoseconds).append(to: &$0) } == expected)
    }

    /// Times of file systems and captures: ext4 reaches the year 2446, tmpfs the year 292 billion.
    @Test(
        arguments: [
            (0, 1, 1), (-1, 999_999_999, -1), (1_795_378_500, 123_999_999, 1_795_378_500_123_999_999),
            (9_223_372_036, 854_775_807, .max), (9_223_372_036, 854_775_808, .max), (15_032_385_535, 0, .max),
            (.max, .max, .max), (.min, 0, .min), (-9_223_372_037, 0, .min),
        ] as [(Int64, Int64, Int64)])
    func secondsThatDoNotFit_areTheFirstOrTheLastMoment(seconds: Int64, nanoseconds: Int64, expected: Int64) {
        #expect(Timestamp(seconds: seconds, nanoseconds: nanoseconds).nanoseconds == expected)
    }
}
