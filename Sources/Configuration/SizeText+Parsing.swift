public import Text

extension SizeText {
    private static let kind = QuantityText.Kind(
        name: "size", units: units, proposed: ["KiB", "MiB", "GiB"], examples: "64KiB, 16MiB or 100MB")

    /// Reads a size within the range, in bytes: a whole number and one of `B kB MB GB TB` (thousands) or `KiB MiB GiB TiB`
    /// (1024s), or a bare `0`; zero only where the range has it.
    public static func parse(_ text: String, in range: ClosedRange<Int>) throws(ValueError) -> Int {
        let bytes = try QuantityText.parse(text, kind)
        guard let size = Int(exactly: bytes), range.contains(size) else {
            let bounds = "\(Self.text(of: range.lowerBound)) to \(Self.text(of: range.upperBound))"
            throw ValueError("\(quoted(text)) is out of range; write a value from \(bounds)")
        }
        return size
    }
}
