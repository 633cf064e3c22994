/// Durations as text: exact as in a configuration, short for tables, and for sentences.
public enum DurationText {
    /// The longest duration that makes sense anywhere: a year. It keeps sums of deadlines far from overflow.
    public static let longest = Duration.seconds(365 * 24 * 3600)
    /// The units of a configuration, in milliseconds.
    public static let units: [(name: String, factor: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000),
    ]

    /// Exact, in the largest possible unit, as in a configuration: `1h`, `90s`, `250ms`, `0s`. Fractions of a
    /// millisecond are dropped.
    public static func text(of duration: Duration) -> String {
        Quantity.text(of: Int64(clamping: duration.exactMilliseconds), units: units, zero: "0s")
    }

    /// At most eight characters, of nanoseconds: `0.25 ms`, `12.0 ms`, `1.50 s`, `2m03s`, `1h05m`, `3d04h`.
    public static func short(nanoseconds: Int64) -> String {
        let nanoseconds = max(0, nanoseconds)
        if nanoseconds < 999_500_000 { return "\(Quantity.threeDigits(Double(nanoseconds) / 1_000_000)) ms" }
        if nanoseconds < 59_950_000_000 { return "\(Quantity.threeDigits(Double(nanoseconds) / 1_000_000_000)) s" }
        let seconds = (nanoseconds - 500_000_000) / 1_000_000_000 + 1
        if seconds < 3600 { return pair(seconds / 60, "m", seconds % 60, "s") }
        if seconds < 86_400 { return pair(seconds / 3600, "h", seconds % 3600 / 60, "m") }
        return pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h")
    }

    /// `12 ms`, `1.50 s`, `3m05s` of milliseconds.
    public static func short(milliseconds: UInt64) -> String {
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        return short(nanoseconds: Int64(saturating: milliseconds, times: 1_000_000))
    }

    /// `4s`, `3m05s`: an age, without fractions.
    public static func age(milliseconds: UInt64) -> String {
        if milliseconds < 60_000 { return "\(milliseconds / 1000)s" }
        // `short` rounds up to the next second; an age has whole seconds only.
        return short(nanoseconds: Int64(saturating: milliseconds / 1000, times: 1_000_000_000))
    }

    /// For a sentence, of nanoseconds: `0.7 ms` below a millisecond, else as for milliseconds.
    public static func sentence(nanoseconds: Int64) -> String {
        let nanoseconds = max(0, nanoseconds)
        if nanoseconds >= 1_000_000 { return sentence(milliseconds: Milliseconds.of(nanoseconds: nanoseconds)) }
        let tenths = nanoseconds / 100_000
        return tenths == 0 ? "under 0.1 ms" : "0.\(tenths) ms"
    }

    /// When something happened, of nanoseconds since the beginning: `after 12 ms`, and `within 0.1 ms` for less.
    public static func elapsed(nanoseconds: Int64) -> String {
        nanoseconds < 100_000 ? "within 0.1 ms" : "after \(sentence(nanoseconds: nanoseconds))"
    }

    /// For a sentence: `under 1 ms`, `12 ms`, `3.4 s`, `5 min 6 s`, `2 h 3 min`, `4 d 5 h`.
    public static func sentence(milliseconds: UInt64) -> String {
        let seconds = milliseconds / 1000
        switch milliseconds {
        case 0: return "under 1 ms"
        case ..<1000: return "\(milliseconds) ms"
        case ..<60_000: return "\(seconds).\(milliseconds % 1000 / 100) s"
        case ..<3_600_000: return "\(seconds / 60) min \(seconds % 60) s"
        case ..<86_400_000: return "\(seconds / 3600) h \(seconds / 60 % 60) min"
        default: return "\(seconds / 86_400) d \(seconds / 3600 % 24) h"
        }
    }

    private static func pair(_ large: Int64, _ unit: String, _ small: Int64, _ smallUnit: String) -> String {
        "\(large)\(unit)\(small < 10 ? "0" : "")\(small)\(smallUnit)"
    }
}
