/// Sizes in bytes as text: exact as in a configuration, short for tables, and for sentences.
public enum SizeText {
    /// The units of a configuration: thousands, and 1024s (IEC 80000-13).
    public static let units: [(name: String, factor: Int64)] = [
        ("B", 1), ("kB", 1000), ("KB", 1000), ("KiB", 1 << 10), ("MB", 1_000_000), ("MiB", 1 << 20),
        ("GB", 1_000_000_000), ("GiB", 1 << 30), ("TB", 1_000_000_000_000), ("TiB", 1 << 40),
    ]
    private static let shown = units.filter { $0.name != "KB" }

    /// Exact, in the largest possible unit, as in a configuration: `16MiB`, `100MB`, `1500B`.
    public static func text(of bytes: Int) -> String {
        Quantity.text(of: Int64(bytes), units: shown, zero: "0")
    }

    /// At most eight characters: `0 B`, `999 B`, `1.50 KiB`, `16.0 MiB`; powers of 1024 (IEC 80000-13).
    public static func short(_ bytes: UInt64) -> String {
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        guard bytes >= 1000 else { return "\(bytes) B" }
        var number = Double(bytes) / 1024
        var unit = 0
        // 1000 of a unit are 0.98 of the next, so that there are never four digits.
        while number >= 999.5, unit < units.count - 1 {
            number /= 1024
            unit += 1
        }
        return "\(Quantity.threeDigits(number)) \(units[unit])"
    }

    /// For a sentence: `1 byte`, `1,234 bytes`.
    public static func sentence(_ bytes: UInt64) -> String {
        "\(Quantity.grouped(bytes)) byte\(bytes == 1 ? "" : "s")"
    }
}
