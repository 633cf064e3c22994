/// Durations: a whole number and one of `ms s m h`, or a bare `0`.
public enum DurationText {
    /// The longest duration: a year. Sums of deadlines stay far from overflow.
    public static let longest = Duration.seconds(longestMilliseconds / 1000)

    private static let longestMilliseconds: Int64 = 365 * 24 * 3_600_000
    private static let kind = QuantityText.Kind(
        name: "duration", units: [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)],
        proposed: ["ms", "s", "m", "h"], examples: "250ms, 5s, 10m or 1h")

    /// Parses a duration from 0 to `longest`.
    public static func parse(_ text: String) throws(ValueError) -> Duration {
        let milliseconds = try QuantityText.parse(text, kind)
        guard milliseconds <= longestMilliseconds else {
            throw ValueError("\(quoted(text)) is too long; a duration is at most 8760h, a year")
        }
        return .milliseconds(milliseconds)
    }

    /// The duration in the largest unit that is exact: `1h`, `90s`, `250ms`, `0s`. Fractions of a millisecond are dropped.
    public static func text(of duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = Int64(clamping: Int128(seconds) * 1000 + Int128(attoseconds / 1_000_000_000_000_000))
        return QuantityText.text(of: milliseconds, units: kind.units, zero: "0s")
    }
}
