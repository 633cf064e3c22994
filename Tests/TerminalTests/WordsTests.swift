import Testing

@testable import Terminal

struct WordsTests {
    @Test func unknownQuantities_areDashes() {
        let all = [
            Words.rate(nil), Words.size(nil), Words.duration(nil), Words.age(nil), Words.trip(nil), Words.clock(nil),
        ]
        #expect(all.allSatisfy { $0 == "-" })
        #expect(Words.rate(0) == "-" && Words.rate(2048) == "2.00 KiB/s")
        #expect(Words.clock("2026-11-23T00:26:07.925Z") == "00:26:07")
    }
}
