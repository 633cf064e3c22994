import Testing
import Text

struct QuantityTests {
    @Test(
        arguments: [
            (0, "0 B"), (1, "1 B"), (999, "999 B"), (1000, "0.98 KiB"), (1024, "1.00 KiB"), (1536, "1.50 KiB"),
            (10_235, "10.0 KiB"), (102_400, "100 KiB"), (1_023_000, "999 KiB"), (1_023_999, "0.98 MiB"),
            (16 << 20, "16.0 MiB"), (5 << 30, "5.00 GiB"), (.max, "16.0 EiB"),
        ] as [(UInt64, String)])
    func size_hasThreeDigits(bytes: UInt64, expected: String) {
        #expect(Quantity.size(bytes) == expected)
    }

    @Test(
        arguments: [
            (-1, "0.00 ms"), (0, "0.00 ms"), (250_000, "0.25 ms"), (12_000_000, "12.0 ms"), (999_499_999, "999 ms"),
            (999_500_000, "1.00 s"), (1_500_000_000, "1.50 s"), (59_900_000_000, "59.9 s"), (59_950_000_000, "1m00s"),
            (60_000_000_000, "1m00s"), (123_000_000_000, "2m03s"), (3_599_600_000_000, "1h00m"),
            (3_900_000_000_000, "1h05m"), (86_400_000_000_000, "1d00h"), (.max, "106751d23h"),
        ] as [(Int64, String)])
    func duration_isShort(nanoseconds: Int64, expected: String) {
        #expect(Quantity.duration(nanoseconds: nanoseconds) == expected)
    }
}
