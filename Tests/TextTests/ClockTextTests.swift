import Testing
import Text

struct ClockTextTests {
    @Test(
        arguments: [
            (0, "00:00:00"), (1_795_378_500_123_000_000, "20:15:00"), (86_399_999_999_999, "23:59:59"),
        ] as [(Int64, String)])
    func time_inUTC_isHoursMinutesSeconds(_ nanoseconds: Int64, _ text: String) {
        #expect(ClockText.text(nanoseconds: nanoseconds, isUTC: true) == text)
    }

    @Test(arguments: [Int64.min, .max]) func time_ofAnyClock_isATime(_ nanoseconds: Int64) {
        #expect(ClockText.text(nanoseconds: nanoseconds, isUTC: true).count == 8)
        #expect(ClockText.text(nanoseconds: nanoseconds, isUTC: false).count == 8)
    }
}
