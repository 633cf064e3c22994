internal import Glibc

/// The time of day as text, for a terminal.
public enum ClockText {
    /// `20:30:12` of nanoseconds since 1970 UTC: in the zone of `TZ` or /etc/localtime (tzset(3)), or in UTC.
    public static func text(nanoseconds: Int64, isUTC: Bool) -> String {
        var seconds = time_t(nanoseconds / 1_000_000_000)
        var parts = tm()
        // They fail only for years that do not fit into an Int32, which 64 bits of nanoseconds cannot reach.
        _ = isUTC ? gmtime_r(&seconds, &parts) : localtime_r(&seconds, &parts)
        var bytes: [UInt8] = []
        bytes.append(decimal: Int64(parts.tm_hour), width: 2)
        bytes.append(":")
        bytes.append(decimal: Int64(parts.tm_min), width: 2)
        bytes.append(":")
        bytes.append(decimal: Int64(parts.tm_sec), width: 2)
        return String(decoding: bytes, as: UTF8.self)
    }
}
