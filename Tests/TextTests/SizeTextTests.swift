import Testing
import Text

struct SizeTextTests {
    @Test(
        arguments: [
            (0, "0 B"), (1, "1 B"), (999, "999 B"), (1000, "0.98 KiB"), (1024, "1.00 KiB"), (1536, "1.50 KiB"),
            (10_235, "10.0 KiB"), (102_400, "100 KiB"), (1_023_000, "999 KiB"), (1_023_999, "0.98 MiB"),
            (16 << 20, "16.0 MiB"), (5 << 30, "5.00 GiB"), (.max, "16.0 EiB"),
        ] as [(UInt64, String)])
    func short_hasThreeDigits(bytes: UInt64, expected: String) {
        #expect(SizeText.short(bytes) == expected)
    }

    @Test(arguments: [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1_234_567, "1,234,567 bytes")])
    func sentence_groupsThousands(bytes: UInt64, expected: String) {
        #expect(SizeText.sentence(bytes) == expected)
    }

    @Test(arguments: [(0, "0"), (1500, "1500B"), (2000, "2kB"), (16 << 20, "16MiB"), (100_000_000, "100MB")])
    func text_isExact(bytes: Int, expected: String) {
        #expect(SizeText.text(of: bytes) == expected)
    }
}
