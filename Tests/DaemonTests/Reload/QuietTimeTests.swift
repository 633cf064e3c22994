import Testing

@testable import Daemon

@Suite struct QuietTimeTests {
    @Test(
        arguments: [
            // times of changes, times of reads
            ([], []),
            ([1000], [1200]),
            ([1000, 1050, 1100], [1300]),
            ([1000, 1199, 1398], [1598]),
            ([1000, 1500], [1200, 1700]),
            // Without a pause the file is read after 800 ms, and the count starts again.
            ([1000, 1190, 1380, 1570, 1760, 1790, 1799, 1900], [1800, 2100]),
            // A change at the bound is covered by the read that follows at once.
            ([1000, 1190, 1380, 1570, 1760, 1800], [1800, 2000]),
        ] as [([UInt64], [UInt64])])
    func looks_comeAfterAPause_orAtTheBound(_ changes: [UInt64], _ looks: [UInt64]) {
        var quietTime = QuietTime()
        var due: UInt64?
        var seen: [UInt64] = []
        for time in changes {
            if let moment = due, moment <= time {
                quietTime.looked()
                seen.append(moment)
                due = nil
            }
            due = time + quietTime.changed(at: time)
        }
        if let due { seen.append(due) }
        #expect(seen == looks)
    }

    @Test func aClockThatStandsBehind_isNoTrap() {
        var quietTime = QuietTime()
        #expect(quietTime.changed(at: 1000) == 200)
        #expect(quietTime.changed(at: 0) == 200)
        #expect(quietTime.changed(at: .max) == 0)
    }
}
