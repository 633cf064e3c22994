internal import Glibc

/// How moments are written: in UTC for programs, in the system's time zone for people. A value; any thread.
public struct TimeText: Hashable, Sendable {
    private enum Zone: Hashable {
        case utc, local
        /// A fixed number of seconds east of UTC.
        case offset(Int64)
    }

    private let zone: Zone
    /// Whether the date comes before the time of day; UTC always has it.
    private let hasDate: Bool

    private init(_ zone: Zone, hasDate: Bool = true) {
        self.zone = zone
        self.hasDate = hasDate
    }

    /// UTC, written as RFC 3339: `2026-11-22T20:15:00.123Z`.
    public static let utc = TimeText(.utc)
    /// The time zone of `TZ` or /etc/localtime: `2026-11-22 21:15:00.123`.
    public static let local = TimeText(.local)
    /// The same without the date, for live output: `21:15:00.123`.
    public static let localClock = TimeText(.local, hasDate: false)

    /// A fixed number of seconds east of UTC: `2026-11-22 21:15:00.123`.
    public static func offset(_ seconds: Int64) -> TimeText { TimeText(.offset(seconds)) }

    /// Appends the moment.
    public func append(_ time: Timestamp, to bytes: inout [UInt8]) {
        guard zone != .utc else { return time.append(to: &bytes) }
        let start = bytes.count
        // Its form has a fixed length: a Timestamp's year has four digits.
        moved(time).append(to: &bytes)
        bytes.removeLast()
        if hasDate {
            bytes[start + Self.dateLength] = UInt8(ascii: " ")
        } else {
            bytes.removeSubrange(start...start + Self.dateLength)
        }
    }

    /// The moment as a text.
    public func text(_ time: Timestamp) -> String {
        var bytes: [UInt8] = []
        append(time, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The time of day: `11:02:03`; in UTC `11:02:03Z` if `isMarked`.
    public func clock(_ time: Timestamp, isMarked: Bool = false) -> String {
        let text = String(moved(time).description.dropFirst(Self.dateLength + 1).prefix(8))
        return zone == .utc && isMarked ? text + "Z" : text
    }

    /// A text with each of its times in RFC 3339, UTC, replaced.
    public func text(of sentence: String) -> String {
        guard zone != .utc else { return sentence }
        return sentence.split(separator: " ", omittingEmptySubsequences: false).map { word in
            guard let end = word.firstIndex(of: "Z"), let time = Timestamp(rfc3339: word[...end]) else {
                return String(word)
            }
            return text(time) + word[word.index(after: end)...]
        }.joined(separator: " ")
    }

    /// The length of `2026-11-22`.
    private static let dateLength = 10

    /// The moment whose UTC date and time are the ones to show.
    private func moved(_ time: Timestamp) -> Timestamp {
        let (moved, isOver) = time.nanoseconds.addingReportingOverflow(offset(at: time) * 1_000_000_000)
        return isOver ? time : Timestamp(nanoseconds: moved)
    }

    /// Seconds east of UTC at a moment, at most a day.
    private func offset(at time: Timestamp) -> Int64 {
        switch zone {
        case .utc: return 0
        case .offset(let seconds): return min(max(seconds, -86_400), 86_400)
        case .local:
            var seconds = time_t(time.nanoseconds / 1_000_000_000)
            var parts = tm()
            guard localtime_r(&seconds, &parts) != nil else { return 0 }
            return min(max(Int64(parts.tm_gmtoff), -86_400), 86_400)
        }
    }
}

extension Timestamp {
    /// Parses `2026-11-22T20:15:00.123Z` and `2026-11-22T20:15:00Z`, the forms that Tapline writes; nil for any other.
    public init?(rfc3339 text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count == 20 || bytes.count == 24, bytes.last == UInt8(ascii: "Z") else { return nil }
        func number(_ range: Range<Int>) -> Int32? {
            var number: Int32 = 0
            for byte in bytes[range] {
                guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
                number = number * 10 + Int32(byte - UInt8(ascii: "0"))
            }
            return number
        }
        let marks: [(Int, UInt8)] = [
            (4, UInt8(ascii: "-")), (7, UInt8(ascii: "-")), (10, UInt8(ascii: "T")), (13, UInt8(ascii: ":")),
            (16, UInt8(ascii: ":")),
        ]
        guard marks.allSatisfy({ bytes[$0.0] == $0.1 }), bytes.count == 20 || bytes[19] == UInt8(ascii: "."),
            let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19),
            let fraction = bytes.count == 24 ? number(20..<23) : 0
        else { return nil }
        var parts = tm()
        parts.tm_year = year - 1900
        parts.tm_mon = month - 1
        parts.tm_mday = day
        parts.tm_hour = hour
        parts.tm_min = minute
        parts.tm_sec = second
        self.init(seconds: Int64(timegm(&parts)), nanoseconds: Int64(fraction) * 1_000_000)
    }
}
