import Glibc
import Testing
import Text

struct TimeTextTests {
    private let time = Timestamp(seconds: 1_795_378_500, nanoseconds: 123_000_000)

    @Test func utc_isRFC3339() {
        #expect(TimeText.utc.text(time) == "2026-11-22T20:15:00.123Z")
        #expect(TimeText.utc.clock(time) == "20:15:00" && TimeText.utc.clock(time, isMarked: true) == "20:15:00Z")
        #expect(TimeText.utc.text(of: "at 2026-11-22T20:15:00.123Z.") == "at 2026-11-22T20:15:00.123Z.")
    }

    @Test(arguments: [0, -1, 1, 999_999, 1_795_378_500_123_000_000, -86_400_000_000_001, .min, .max] as [Int64])
    func localForms_agreeOnTheMoment(nanoseconds: Int64) {
        let time = Timestamp(nanoseconds: nanoseconds)
        let (local, clock) = (TimeText.local.text(time), TimeText.localClock.text(time))
        #expect(local.hasSuffix(" \(clock)"))
        // Zones differ by minutes, so seconds and milliseconds are those of UTC since the zones were standardised.
        if nanoseconds >= 0 { #expect(clock.suffix(4) == time.description.dropLast().suffix(4)) }
        #expect(local.count == "2026-11-22 21:15:00.123".count)
    }

    @Test func local_isTheTimeOfTheEnvironment() {
        var seconds = time_t(1_795_378_500)
        var parts = tm()
        #expect(localtime_r(&seconds, &parts) != nil)
        let clock = TimeText.localClock.text(time)
        #expect(Int(clock.prefix(2)) == Int(parts.tm_hour) && Int(clock.dropFirst(3).prefix(2)) == Int(parts.tm_min))
    }

    @Test func append_addsToWhatIsThere() {
        var bytes = Array("at ".utf8)
        TimeText.offset(3600).append(time, to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == "at 2026-11-22 21:15:00.123")
    }

    @Test func zone_movesTheDateToo() {
        let east = TimeText.offset(5 * 3600 + 1800)
        #expect(east.clock(time) == "01:45:00" && east.text(time) == "2026-11-23 01:45:00.123")
        #expect(
            east.text(of: "It ended after 3 s, at 2026-11-22T20:15:00.123Z; Z and TZ stay.")
                == "It ended after 3 s, at 2026-11-23 01:45:00.123; Z and TZ stay.")
    }

    @Test(arguments: [Timestamp(nanoseconds: .min), Timestamp(nanoseconds: .max)])
    func extremes_areShown(extreme: Timestamp) {
        for zone in [TimeText.local, .offset(.max), .offset(.min)] { #expect(!zone.text(extreme).isEmpty) }
    }

    @Test func rfc3339_isReadBack() {
        #expect(Timestamp(rfc3339: time.description) == time)
        #expect(Timestamp(rfc3339: "2026-11-22T20:15:00Z") == Timestamp(seconds: 1_795_378_500, nanoseconds: 0))
        for text in [
            "", "Z", "2026-11-22", "2026-11-22 20:15:00Z", "2026-11-22T20:15:0xZ", "2026-11-22T20:15:00+01:00",
        ] {
            #expect(Timestamp(rfc3339: text) == nil)
        }
    }
}
