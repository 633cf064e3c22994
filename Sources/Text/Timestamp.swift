internal import Glibc

/// A moment in UTC, written as RFC 3339 with milliseconds.
public struct Timestamp: Hashable, Sendable {
    /// Nanoseconds since 1970 UTC.
    public let nanoseconds: Int64

    /// A moment in nanoseconds since 1970 UTC.
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// A moment from a timespec of the kernel or a file. Out-of-range values are clamped to the years 1677 and 2262, so
    /// that no clock or file can trap the process.
    public init(seconds: Int64, nanoseconds: Int64) {
        let (whole, isTooLarge) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isPastTheEnd) = whole.addingReportingOverflow(nanoseconds)
        self.nanoseconds = isTooLarge || isPastTheEnd ? (seconds < 0 ? .min : .max) : sum
    }

    /// The current time.
    public static var now: Timestamp {
        var time = timespec()
        // It cannot fail: the clock exists and the memory is valid.
        _ = clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }

    /// Appends `2026-11-22T20:15:00.123Z`.
    public func append(to bytes: inout [UInt8]) {
        let milliseconds = nanoseconds.floored(by: 1_000_000)
        let seconds = milliseconds.quotient.floored(by: 1000)
        let days = seconds.quotient.floored(by: 86_400)
        let (year, month, day) = Self.date(daysSince1970: days.quotient)
        let second = days.remainder
        bytes.append(decimal: year, width: 4)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(decimal: month, width: 2)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(decimal: day, width: 2)
        bytes.append(UInt8(ascii: "T"))
        bytes.append(decimal: second / 3600, width: 2)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(decimal: second / 60 % 60, width: 2)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(decimal: second % 60, width: 2)
        bytes.append(UInt8(ascii: "."))
        bytes.append(decimal: seconds.remainder, width: 3)
        bytes.append(UInt8(ascii: "Z"))
    }

    /// The date of the proleptic Gregorian calendar. Years are counted from March, so that the leap day is the last of
    /// its year, in eras of 400 years, which all have 146,097 days.
    private static func date(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        // There are 719,468 days from 0000-03-01 to 1970-01-01.
        let (era, dayOfEra) = (days + 719_468).floored(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
    }
}

extension Timestamp: CustomStringConvertible {
    /// `2026-11-22T20:15:00.123Z`.
    public var description: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Int64 {
    /// Division that rounds down, also for negative numbers; the divisor is positive.
    fileprivate func floored(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
