/// Quantities for people: three digits and a unit, in about eight characters.
public enum Quantity {
    /// `0 B`, `999 B`, `1.50 KiB`, `16.0 MiB`: powers of 1024 (IEC 80000-13).
    public static func size(_ bytes: UInt64) -> String {
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        guard bytes >= 1000 else { return "\(bytes) B" }
        var number = Double(bytes) / 1024
        var unit = 0
        // 1000 of a unit become one of the next, so that there are never four digits.
        while number >= 999.5, unit < units.count - 1 {
            number /= 1024
            unit += 1
        }
        return "\(threeDigits(number)) \(units[unit])"
    }

    /// `0.25 ms`, `12.0 ms`, `1.50 s`, `2m03s`, `1h05m`, `3d04h`.
    public static func duration(nanoseconds: Int64) -> String {
        let nanoseconds = max(0, nanoseconds)
        if nanoseconds < 999_500_000 { return "\(threeDigits(Double(nanoseconds) / 1_000_000)) ms" }
        if nanoseconds < 59_950_000_000 { return "\(threeDigits(Double(nanoseconds) / 1_000_000_000)) s" }
        let seconds = (nanoseconds - 500_000_000) / 1_000_000_000 + 1
        if seconds < 3600 { return pair(seconds / 60, "m", seconds % 60, "s") }
        if seconds < 86_400 { return pair(seconds / 3600, "h", seconds % 3600 / 60, "m") }
        return pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h")
    }

    private static func pair(_ large: Int64, _ unit: String, _ small: Int64, _ smallUnit: String) -> String {
        "\(large)\(unit)\(small < 10 ? "0" : "")\(small)\(smallUnit)"
    }

    /// Three significant digits of a number below 1000.
    private static func threeDigits(_ number: Double) -> String {
        let digits = number < 9.995 ? 2 : number < 99.95 ? 1 : 0
        let scale = digits == 2 ? 100.0 : digits == 1 ? 10.0 : 1.0
        let scaled = UInt64((number * scale).rounded())
        guard digits > 0 else { return "\(scaled)" }
        let divisor: UInt64 = digits == 2 ? 100 : 10
        let fraction = "\(scaled % divisor)"
        return "\(scaled / divisor)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}
