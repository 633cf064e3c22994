/// The wall clock, for records. Deadlines use the monotonic clock.
public enum WallClock {
    /// Nanoseconds since 1970 UTC.
    public static var now: Int64 { Timestamp.now.nanoseconds }
}
