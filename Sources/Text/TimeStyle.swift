internal import Glibc

/// How a moment is written: in UTC for programs, in local time for people.
public enum TimeStyle: Hashable, Sendable {
    /// `2026-11-22T20:15:00.123Z`.
    case utc
    /// `2026-11-22 21:15:00.123`, in the time zone of the environment (`TZ`).
    case local
    /// `21:15:00.123`: local time without the date, for live output.
    case localClock
}

extension Timestamp {
    /// Appends the moment in a style.
    public func append(as style: TimeStyle, to bytes: inout [UInt8]) {
        guard style != .utc else { return append(to: &bytes) }
        let milliseconds = nanoseconds / 1_000_000 - (nanoseconds % 1_000_000 < 0 ? 1 : 0)
        var seconds = time_t(milliseconds / 1000 - (milliseconds % 1000 < 0 ? 1 : 0))
        var local = tm()
        // It fails only for years beyond an Int32, which a Timestamp cannot hold.
        guard localtime_r(&seconds, &local) != nil else { return append(to: &bytes) }
        if style == .local {
            bytes.append(decimal: Int(local.tm_year) + 1900, width: 4)
            bytes.append(UInt8(ascii: "-"))
            bytes.append(decimal: local.tm_mon + 1, width: 2)
            bytes.append(UInt8(ascii: "-"))
            bytes.append(decimal: local.tm_mday, width: 2)
            bytes.append(UInt8(ascii: " "))
        }
        bytes.append(decimal: local.tm_hour, width: 2)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(decimal: local.tm_min, width: 2)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(decimal: local.tm_sec, width: 2)
        bytes.append(UInt8(ascii: "."))
        bytes.append(decimal: milliseconds - Int64(seconds) * 1000, width: 3)
    }

    /// The moment in a style.
    public func text(as style: TimeStyle) -> String {
        var bytes: [UInt8] = []
        append(as: style, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
