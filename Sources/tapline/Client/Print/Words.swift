import Text

/// Quantities of the API in the words of a table.
enum Words {
    /// `12.5 KiB/s`; `-` for none.
    static func rate(_ bytes: UInt64?) -> String {
        guard let bytes, bytes > 0 else { return "-" }
        return Quantity.size(bytes) + "/s"
    }

    /// `12.5 KiB`; `-` where it is not known.
    static func size(_ bytes: UInt64?) -> String {
        bytes.map(Quantity.size) ?? "-"
    }

    /// `12 ms`, `1.50 s`, `3m05s` of milliseconds; `-` where it is not known.
    static func duration(_ milliseconds: UInt64?) -> String {
        guard let milliseconds else { return "-" }
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        return Quantity.duration(nanoseconds: Int64(saturating: milliseconds, times: 1_000_000))
    }

    /// `4s`, `3m05s`: an age, which needs no fractions.
    static func age(_ milliseconds: UInt64?) -> String {
        guard let milliseconds else { return "-" }
        if milliseconds < 60_000 { return "\(milliseconds / 1000)s" }
        // The quantity rounds up what is begun; an age counts what is over.
        return Quantity.duration(nanoseconds: Int64(saturating: milliseconds / 1000, times: 1_000_000_000))
    }

    /// `1 connection`, `2 connections`.
    static func number(_ count: UInt64, _ noun: String) -> String {
        "\(count) \(noun)\(count == 1 ? "" : "s")"
    }

    /// Who waits for whom, in one word or two.
    static func waits(_ waits: JSONValue) -> String {
        guard let subject = waits["for"].text else { return "-" }
        let words =
            switch subject {
            case "proxy_header": "PROXY header"
            case "tls_hello": "TLS hello"
            case "name": "name lookup"
            case "connect": "connect"
            case "client_reads": "client reads"
            case "upstream_reads": "upstream reads"
            case "both_read": "both read"
            case "client_sends": "client sends"
            case "upstream_sends": "upstream sends"
            case "anyone_sends": "first byte"
            case "sent": "delivery"
            case "recording": "recording"
            default: subject.harmless
            }
        return "\(words) \(age(waits["ms"].count))"
    }

    /// The time of day of an RFC 3339 time, in UTC: `11:02:03`.
    static func clock(_ time: String?) -> String {
        guard let time, time.count >= 19 else { return "-" }
        return String(time.dropFirst(11).prefix(8)).harmless
    }
}

extension Words {
    /// A round-trip time of microseconds: `0.25 ms`.
    static func trip(_ microseconds: UInt64?) -> String {
        guard let microseconds else { return "-" }
        return Quantity.duration(nanoseconds: Int64(saturating: microseconds, times: 1000))
    }
}
