import Testing
import Text

struct SaturatingTests {
    @Test(
        arguments: [
            (0, 0), (-1, 0), (-.infinity, 0), (.nan, 0), (0.99, 0), (1.5, 1), (1e18, 1_000_000_000_000_000_000),
            (1.8446744073709552e19, .max), (1e300, .max), (.infinity, .max),
        ] as [(Double, UInt64)])
    func number_isClamped(number: Double, expected: UInt64) {
        #expect(UInt64(saturating: number) == expected)
    }

    @Test(
        arguments: [
            (0, 1000, 0), (5, 1000, 5000), (.max, 1, .max), (.max, 1_000_000, .max), (1 << 62, 2, .max),
        ] as [(UInt64, UInt64, Int64)])
    func product_isClamped(count: UInt64, unit: UInt64, expected: Int64) {
        #expect(Int64(saturating: count, times: unit) == expected)
    }
}
