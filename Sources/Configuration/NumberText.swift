/// The value of a text of decimal digits.
enum DecimalText: Equatable {
    case number(Int64)
    /// Digits whose value is beyond Int64.
    case tooLarge
    /// Empty, or not only ASCII digits; signs are not allowed.
    case notDigits

    init(_ text: some StringProtocol) {
        guard !text.isEmpty else {
            self = .notDigits
            return
        }
        var value: Int64 = 0
        var overflow = false
        for byte in text.utf8 {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else {
                self = .notDigits
                return
            }
            let (tenfold, first) = value.multipliedReportingOverflow(by: 10)
            let (sum, second) = tenfold.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
            overflow = overflow || first || second
            value = sum
        }
        self = overflow ? .tooLarge : .number(value)
    }
}

/// Whole numbers in a range.
enum NumberText {
    /// Parses decimal digits.
    static func parse(_ text: String, in range: ClosedRange<Int>) throws(ValueError) -> Int {
        if case .number(let number) = DecimalText(text), let value = Int(exactly: number), range.contains(value) {
            return value
        }
        throw ValueError("\(quoted(text)) is not a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
}

/// A number with a unit: durations and sizes.
enum QuantityText {
    /// A quantity's name, its units, the units that messages propose, and examples.
    struct Kind {
        let name: String
        let units: [(name: String, factor: Int64)]
        let proposed: [String]
        let examples: String
    }

    /// The quantity in its smallest unit, saturated to `Int64`; zero needs no unit.
    static func parse(_ text: String, _ kind: Kind) throws(ValueError) -> Int64 {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text[digits.endIndex...]
        let number: Int64
        switch DecimalText(digits) {
        case .notDigits: throw ValueError("\(quoted(text)) is not a \(kind.name); write \(kind.examples)")
        case .tooLarge: number = .max
        case .number(let value): number = value
        }
        if unit.isEmpty {
            guard number == 0 else {
                let proposals = digits.count <= 10 ? kind.proposed.map { digits + $0 } : [kind.examples]
                throw ValueError("\(quoted(text)) has no unit; write \(proposals.joined(separator: ", "))")
            }
            return 0
        }
        guard let factor = kind.units.first(where: { $0.name == unit })?.factor else {
            throw ValueError("\(quoted(text)) is not a \(kind.name); write \(kind.examples)")
        }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? .max : product
    }
}
