package import Text

/// Quantities in the cells of a table; `-` where they are not known.
package enum Words {
    /// `12.5 KiB/s`; `-` for zero, too.
    package static func rate(_ bytes: UInt64?) -> String {
        guard let bytes, bytes > 0 else { return "-" }
        return SizeText.short(bytes) + "/s"
    }

    /// `12.5 KiB`.
    package static func size(_ bytes: UInt64?) -> String {
        bytes.map(SizeText.short) ?? "-"
    }

    /// `<1 ms`, `12 ms`, `1.50 s`, `3m05s` of milliseconds.
    package static func duration(_ milliseconds: UInt64?) -> String {
        milliseconds.map { $0 == 0 ? "<1 ms" : DurationText.short(milliseconds: $0) } ?? "-"
    }

    /// `4s`, `3m05s` of milliseconds: an age, without fractions.
    package static func age(_ milliseconds: UInt64?) -> String {
        milliseconds.map(DurationText.age(milliseconds:)) ?? "-"
    }

    /// A round-trip time of microseconds: `0.25 ms`.
    package static func trip(_ microseconds: UInt64?) -> String {
        microseconds.map { DurationText.short(nanoseconds: Int64(saturating: $0, times: 1000)) } ?? "-"
    }

    /// The time of day of an RFC 3339 time: `11:02:03`.
    package static func clock(_ time: String?, _ zone: TimeText = .utc) -> String {
        guard let time = time.flatMap({ Timestamp(rfc3339: $0) }) else { return "-" }
        return zone.clock(time)
    }

    /// The same within a sentence: `11:02:03 UTC`, or local time without a mark.
    package static func sentenceClock(_ time: String?, _ zone: TimeText) -> String {
        clock(time, zone) + (zone == .utc ? " UTC" : "")
    }
}
