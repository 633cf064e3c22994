/// The time of day, for records; deadlines never look at it.
public enum WallClock {
    /// Nanoseconds since 1970 UTC.
    public static var now: Int64 { Timestamp.now.nanoseconds }
}
