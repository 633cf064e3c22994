/// Conversions between nanoseconds, milliseconds and durations. Each says how it rounds.
public enum Milliseconds {
    /// Whole milliseconds of nanoseconds, rounded down, so that a part of a duration is never longer than the whole; 0 for a
    /// negative number.
    public static func of(nanoseconds: Int64) -> UInt64 { UInt64(max(0, nanoseconds)) / 1_000_000 }
}

extension Duration {
    /// Milliseconds, rounded toward zero.
    var exactMilliseconds: Int128 {
        let (seconds, attoseconds) = components
        return Int128(seconds) * 1000 + Int128(attoseconds / 1_000_000_000_000_000)
    }

    /// Whole milliseconds, rounded down; at least 0.
    public var milliseconds: UInt64 { UInt64(clamping: exactMilliseconds) }

    /// Whole milliseconds, rounded up, so that only zero and negative durations are zero.
    public var millisecondsRoundedUp: UInt64 {
        guard self > .zero else { return 0 }
        let (seconds, attoseconds) = components
        let part = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return UInt64(clamping: Int128(seconds) * 1000 + Int128(part))
    }

    /// Whole nanoseconds, rounded down; at least 0.
    public var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return max(0, Int64(clamping: Int128(seconds) * 1_000_000_000 + Int128(attoseconds / 1_000_000_000)))
    }
}
