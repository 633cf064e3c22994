/// Numbers with their nouns and units.
public enum Quantity {
    /// `1 connection`, `2 connections`.
    public static func number(_ count: UInt64, _ noun: String) -> String {
        "\(count) \(noun)\(count == 1 ? "" : "s")"
    }

    /// With a comma at every thousand.
    public static func grouped(_ number: UInt64) -> String {
        let digits = Array(String(number))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return text
    }

    /// The shortest exact text in one of the units.
    static func text(of quantity: Int64, units: [(name: String, factor: Int64)], zero: String) -> String {
        guard quantity != 0 else { return zero }
        let unit = units.filter { quantity % $0.factor == 0 }.max { $0.factor < $1.factor }
        guard let unit else { return "\(quantity)" }
        return "\(quantity / unit.factor)\(unit.name)"
    }

    /// Three significant digits of a number under a thousand.
    static func threeDigits(_ number: Double) -> String {
        let digits = number < 9.995 ? 2 : number < 99.95 ? 1 : 0
        let scale = digits == 2 ? 100.0 : digits == 1 ? 10.0 : 1.0
        let scaled = UInt64((number * scale).rounded())
        guard digits > 0 else { return "\(scaled)" }
        let divisor: UInt64 = digits == 2 ? 100 : 10
        let fraction = "\(scaled % divisor)"
        return "\(scaled / divisor)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}
