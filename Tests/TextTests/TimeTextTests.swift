import Testing
import Text

struct TimeTextTests {
    private let time = Timestamp(seconds: 1_795_378_500, nanoseconds: 123_000_000)

    @Test func utc_isRFC3339() {
        #expect(TimeText.utc.text(time) == "2026-11-22T20:15:00.123Z")
        #expect(TimeText.utc.clock(time) == "20:15:00" && TimeText.utc.clock(time, isMarked: true) == "20:15:00Z")
        #expect(TimeText.utc.text(of: "at 2026-11-22T20:15:00.123Z.") == "at 2026-11-22T20:15:00.123Z.")
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
