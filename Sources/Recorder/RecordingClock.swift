internal import EventLoop
internal import Sockets
internal import Text

/// The times in one recording: time of day, in the order in which things are written.
///
/// Events carry the monotonic clock, which no one sets; here it becomes time of day. What several workers tell comes out
/// of order by as long as one of them gathers events or waits for a core, and ends for which the ring had no room by as
/// long as it was full: such an event gets the time of what is before it. A clock that was set is followed, also back.
///
/// Confined to the recorder's thread.
struct RecordingClock {
    /// Both clocks at one moment.
    struct Reading {
        /// Nanoseconds since 1970 UTC.
        var time: Int64
        /// The monotonic clock, nanoseconds.
        var ticks: UInt64
        /// How much later one may have been read than the other, nanoseconds.
        var doubt: UInt64

        /// What the monotonic clock lacks to the time of day; modulo 2⁶⁴, as the sum in `time(at:)` is.
        var offset: Int64 { time &- Int64(truncatingIfNeeded: ticks) }
    }

    private let read: () -> Reading
    private var offset: Int64
    private var last: UInt64 = 0

    init(read: @escaping () -> Reading = Reading.now) {
        self.read = read
        let reading = read()
        offset = reading.offset
    }

    /// Looks whether the time of day was set.
    mutating func look() {
        let reading = read()
        if (reading.offset &- offset).magnitude > reading.doubt { offset = reading.offset }
    }

    /// The time of day of what happened at a moment of the monotonic clock, and is written now.
    @inline(__always)
    mutating func time(at ticks: UInt64) -> Int64 {
        last = max(last, ticks)
        return Int64(truncatingIfNeeded: last) &+ offset
    }
}

extension RecordingClock.Reading {
    /// Of this moment: the best of a few, for a thread may lose its core between the two clocks.
    static func now() -> Self {
        let readings = (once(), once(), once())
        let better = readings.0.doubt <= readings.1.doubt ? readings.0 : readings.1
        return better.doubt <= readings.2.doubt ? better : readings.2
    }

    private static func once() -> Self {
        let before = EventLoop.nanoseconds
        let time = WallClock.now
        let after = EventLoop.nanoseconds
        return Self(time: time, ticks: before, doubt: Monotonic.elapsed(from: before, to: after))
    }
}
