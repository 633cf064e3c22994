public import Text

extension DurationText {
    private static let kind = QuantityText.Kind(
        name: "duration", units: units, proposed: ["ms", "s", "m", "h"], examples: "250ms, 5s, 10m or 1h")

    /// Reads a duration from 0 to `longest`: a whole number and one of `ms s m h`, or a bare `0`.
    public static func parse(_ text: String) throws(ValueError) -> Duration {
        let duration = Duration.milliseconds(try QuantityText.parse(text, kind))
        guard duration <= longest else {
            throw ValueError("\(quoted(text)) is too long; a duration is at most 8760h, a year")
        }
        return duration
    }
}
