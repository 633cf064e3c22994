import Testing

@testable import Terminal

struct WordsTests {
    @Test(
        arguments: [
            (0, "0s"), (59_999, "59s"), (60_000, "1m00s"), (185_000, "3m05s"), (3_660_000, "1h01m"),
        ] as [(UInt64, String)])
    func age_countsWhatIsOver(milliseconds: UInt64, text: String) {
        #expect(Words.age(milliseconds) == text)
    }
}
