import Testing
import Text

struct DurationTextTests {
    @Test(
        arguments: [
            (-1, "0.00 ms"), (0, "0.00 ms"), (250_000, "0.25 ms"), (12_000_000, "12.0 ms"), (999_499_999, "999 ms"),
            (999_500_000, "1.00 s"), (1_500_000_000, "1.50 s"), (59_900_000_000, "59.9 s"), (59_950_000_000, "1m00s"),
            (60_000_000_000, "1m00s"), (123_000_000_000, "2m03s"), (3_599_600_000_000, "1h00m"),
            (3_900_000_000_000, "1h05m"), (86_400_000_000_000, "1d00h"), (.max, "106751d23h"),
        ] as [(Int64, String)])
    func short_isShort(nanoseconds: Int64, expected: String) {
        #expect(DurationText.short(nanoseconds: nanoseconds) == expected)
    }

    @Test(arguments: [(0, "0 ms"), (999, "999 ms"), (1500, "1.50 s"), (185_000, "3m05s"), (.max, "106751d23h")])
    func short_ofMilliseconds(milliseconds: UInt64, expected: String) {
        #expect(DurationText.short(milliseconds: milliseconds) == expected)
    }

    @Test(
        arguments: [
            (0, "0s"), (59_999, "59s"), (60_000, "1m00s"), (185_000, "3m05s"), (3_660_000, "1h01m"),
        ] as [(UInt64, String)])
    func age_countsWhatIsOver(milliseconds: UInt64, text: String) {
        #expect(DurationText.age(milliseconds: milliseconds) == text)
    }

    @Test(
        arguments: [
            (0, "under 1 ms"), (12, "12 ms"), (3400, "3.4 s"), (306_000, "5 min 6 s"), (7_380_000, "2 h 3 min"),
            (363_600_000, "4 d 5 h"),
        ] as [(UInt64, String)])
    func sentence_namesTwoUnits(milliseconds: UInt64, expected: String) {
        #expect(DurationText.sentence(milliseconds: milliseconds) == expected)
    }

    @Test(
        arguments: [
            (0, "under 0.1 ms"), (99_999, "under 0.1 ms"), (680_000, "0.6 ms"), (1_000_000, "1 ms"),
            (-5, "under 0.1 ms"),
            (3_400_000_000, "3.4 s"),
        ] as [(Int64, String)])
    func sentence_hasTenthsBelowAMillisecond(nanoseconds: Int64, expected: String) {
        #expect(DurationText.sentence(nanoseconds: nanoseconds) == expected)
    }

    @Test(
        arguments: [
            (0, "within 0.1 ms"), (-5, "within 0.1 ms"), (99_999, "within 0.1 ms"), (100_000, "after 0.1 ms"),
            (12_000_000, "after 12 ms"), (3_400_000_000, "after 3.4 s"),
        ] as [(Int64, String)])
    func elapsed_isAfterTheTime_orWithinTheShortest(nanoseconds: Int64, expected: String) {
        #expect(DurationText.elapsed(nanoseconds: nanoseconds) == expected)
    }

    @Test func text_ofAnyDuration_isExact() {
        #expect(DurationText.text(of: .seconds(90)) == "90s" && DurationText.text(of: .zero) == "0s")
        #expect(DurationText.text(of: .milliseconds(Int64.max) + .seconds(10)) == "9223372036854775807ms")
    }

    @Test func milliseconds_areKeptWithinWhatFits() {
        #expect(Duration.seconds(-5).milliseconds == 0)
        #expect(Duration.milliseconds(1500).milliseconds == 1500)
        #expect(Duration.nanoseconds(1_999_999).milliseconds == 1)
        #expect(Duration.seconds(Int64.max).milliseconds == .max)
    }
}
