/// Sizes in bytes: a whole number and one of `B kB MB GB TB` (powers of 1000) or `KiB MiB GiB TiB` (powers of 1024), or a
/// bare `0`.
public enum SizeText {
    private static let units: [(name: String, factor: Int64)] = [
        ("B", 1), ("kB", 1000), ("KB", 1000), ("KiB", 1 << 10), ("MB", 1_000_000), ("MiB", 1 << 20),
        ("GB", 1_000_000_000), ("GiB", 1 << 30), ("TB", 1_000_000_000_000), ("TiB", 1 << 40),
    ]
    private static let kind = QuantityText.Kind(
        name: "size", units: units, proposed: ["KiB", "MiB", "GiB"], examples: "64KiB, 16MiB or 100MB")
    private static let shown = units.filter { $0.name != "KB" }

    /// Parses a size within the range, in bytes.
    public static func parse(_ text: String, in range: ClosedRange<Int>) throws(ValueError) -> Int {
        let bytes = try QuantityText.parse(text, kind)
        guard let size = Int(exactly: bytes), range.contains(size) else {
            let bounds = "\(Self.text(of: range.lowerBound)) to \(Self.text(of: range.upperBound))"
            throw ValueError("\(quoted(text)) is out of range; it may be from \(bounds)")
        }
        return size
    }

    /// The size in the largest unit that is exact: `16MiB`, `100MB`, `1500B`.
    public static func text(of bytes: Int) -> String {
        QuantityText.text(of: Int64(bytes), units: shown, zero: "0")
    }
}
