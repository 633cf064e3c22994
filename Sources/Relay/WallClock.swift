internal import Text

/// The time of day, for records; deadlines never look at it.
enum WallClock {
    /// Nanoseconds since 1970 UTC.
    static var now: Int64 { Timestamp.now.nanoseconds }
}
