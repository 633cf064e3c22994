import Glibc
import Testing
import Text

struct TimeStyleTests {
    @Test(arguments: [0, -1, 1, 999_999, 1_795_378_500_123_000_000, -86_400_000_000_001, .min, .max] as [Int64])
    func styles_agreeOnTheMoment(nanoseconds: Int64) {
        let time = Timestamp(nanoseconds: nanoseconds)
        #expect(time.text(as: .utc) == time.description)
        let (local, clock) = (time.text(as: .local), time.text(as: .localClock))
        #expect(local.hasSuffix(" \(clock)"))
        // Zones differ by minutes, so seconds and milliseconds are those of UTC since the zones were standardised.
        if nanoseconds >= 0 { #expect(clock.suffix(4) == time.description.dropLast().suffix(4)) }
        #expect(local.count == "2026-11-22 21:15:00.123".count)
    }

    @Test func local_isTheTimeOfTheEnvironment() {
        let time = Timestamp(nanoseconds: 1_795_378_500_123_000_000)
        var seconds = time_t(1_795_378_500)
        var local = tm()
        #expect(localtime_r(&seconds, &local) != nil)
        let clock = time.text(as: .localClock)
        #expect(Int(clock.prefix(2)) == Int(local.tm_hour) && Int(clock.dropFirst(3).prefix(2)) == Int(local.tm_min))
    }
}
