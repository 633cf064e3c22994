import Text

/// Quantities of the API in the words of a table.
package enum Words {
    /// `12.5 KiB/s`; `-` for none.
    package static func rate(_ bytes: UInt64?) -> String {
        guard let bytes, bytes > 0 else { return "-" }
        return Quantity.size(bytes) + "/s"
    }

    /// `12.5 KiB`; `-` where it is not known.
    package static func size(_ bytes: UInt64?) -> String {
        bytes.map(Quantity.size) ?? "-"
    }

    /// `12 ms`, `1.50 s`, `3m05s` of milliseconds; `-` where it is not known.
    package static func duration(_ milliseconds: UInt64?) -> String {
        guard let milliseconds else { return "-" }
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        return Quantity.duration(nanoseconds: Int64(saturating: milliseconds, times: 1_000_000))
    }

    /// `4s`, `3m05s`: an age, which needs no fractions.
    package static func age(_ milliseconds: UInt64?) -> String {
        guard let milliseconds else { return "-" }
        if milliseconds < 60_000 { return "\(milliseconds / 1000)s" }
        // The quantity rounds up what is begun; an age counts what is over.
        return Quantity.duration(nanoseconds: Int64(saturating: milliseconds / 1000, times: 1_000_000_000))
    }

    /// `1 connection`, `2 connections`.
    package static func number(_ count: UInt64, _ noun: String) -> String {
        "\(count) \(noun)\(count == 1 ? "" : "s")"
    }

    /// The time of day of an RFC 3339 time, in UTC: `11:02:03`.
    package static func clock(_ time: String?) -> String {
        guard let time, time.count >= 19 else { return "-" }
        return String(time.dropFirst(11).prefix(8)).harmless
    }

    /// A round-trip time of microseconds: `0.25 ms`.
    package static func trip(_ microseconds: UInt64?) -> String {
        guard let microseconds else { return "-" }
        return Quantity.duration(nanoseconds: Int64(saturating: microseconds, times: 1000))
    }
}
