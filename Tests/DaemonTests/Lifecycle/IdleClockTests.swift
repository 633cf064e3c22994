import Testing

@testable import Daemon

/// How long no connection has been open.
@Suite struct IdleClockTests {
    @Test func withoutConnections_countsFromTheStart() {
        var clock = IdleClock(limit: 1000, now: 500)
        #expect(clock.read(open: 0, hasEnded: false, now: 500) == 1000)
        #expect(clock.read(open: 0, hasEnded: false, now: 1400) == 100)
        #expect(clock.read(open: 0, hasEnded: false, now: 1500) == 0)
    }

    @Test func openConnection_stopsIt_andItsEndStartsItAgain() {
        var clock = IdleClock(limit: 1000, now: 0)
        #expect(clock.read(open: 1, hasEnded: false, now: 900) == nil)
        #expect(clock.read(open: 1, hasEnded: true, now: 5000) == nil, "another one is open")
        #expect(clock.read(open: 0, hasEnded: true, now: 6000) == 1000)
        #expect(clock.read(open: 0, hasEnded: false, now: 6600) == 400)
        #expect(clock.read(open: 0, hasEnded: false, now: 7000) == 0)
    }

    @Test func connectionThatCameAndWent_betweenTwoReadings_startsItAgain() {
        var clock = IdleClock(limit: 1000, now: 0)
        #expect(clock.read(open: 0, hasEnded: true, now: 900) == 1000)
        #expect(clock.read(open: 0, hasEnded: false, now: 1000) == 900)
    }

    @Test func clock_thatIsBehind_orFarAhead_doesNotTrap() {
        var clock = IdleClock(limit: .max, now: 1000)
        #expect(clock.read(open: 0, hasEnded: false, now: 0) == .max)
        #expect(clock.read(open: 0, hasEnded: false, now: .max) == 1000)
    }
}
