/// Fractions in a configuration: `25%`, `0.25`, `1`; in millionths.
enum FractionText {
    static let whole = 1_000_000

    /// Parses a fraction above zero.
    static func parse(_ text: String) throws(ValueError) -> Int {
        let isPercent = text.hasSuffix("%")
        let number = isPercent ? text.dropLast() : text[...]
        let parts = number.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let decimals = parts.count == 2 ? parts[1] : ""
        let decimalPlaces = isPercent ? 4 : 6
        guard let first = parts.first, case .number(let units) = DecimalText(first), units <= 100,
            parts.count == 1 || !decimals.isEmpty, decimals.utf8.count <= decimalPlaces,
            case .number(let rest) = DecimalText(
                decimals + String(repeating: "0", count: decimalPlaces - decimals.utf8.count))
        else {
            throw ValueError("\(quoted(text)) is not a fraction; write 10% or 0.1; the smallest step is 0.000001")
        }
        let millionths = Int(units) * (isPercent ? whole / 100 : whole) + Int(rest)
        guard millionths > 0, millionths <= whole else {
            throw ValueError("\(quoted(text)) is out of range; write more than 0 and at most 100%")
        }
        return millionths
    }

    /// The fraction in per cent.
    static func text(of millionths: Int) -> String {
        let (units, rest) = millionths.quotientAndRemainder(dividingBy: whole / 100)
        guard rest > 0 else { return "\(units)%" }
        var digits = String(rest + 10_000).dropFirst()
        while digits.last == "0" { digits.removeLast() }
        return "\(units).\(digits)%"
    }
}
