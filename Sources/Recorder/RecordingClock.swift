internal import EventLoop
internal import Sockets
internal import Text

/// The clock of one recording: converts the monotonic clock of events to times of day that never decrease.
///
/// Events of several workers are out of order by the time that a worker stages events or waits for a core, and ends for
/// which the ring was full by the time that it was full: such an event gets the time of the one before it. If the time
/// of day is set, also back, the recording follows.
///
/// Confined to the recorder's thread.
struct RecordingClock {
    /// Both clocks at one moment.
    struct Reading {
        /// Nanoseconds since 1970 UTC.
        var time: Int64
        /// The monotonic clock, nanoseconds.
        var ticks: UInt64
        /// The largest time between both readings, nanoseconds.
        var doubt: UInt64

        /// The difference of time of day and monotonic clock, modulo 2⁶⁴ like the sum in `time(at:)`.
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

    /// Checks whether the time of day was set.
    mutating func look() {
        let reading = read()
        if (reading.offset &- offset).magnitude > reading.doubt { offset = reading.offset }
    }

    /// The time of day for an event at `ticks` of the monotonic clock that is written now.
    @inline(__always)
    mutating func time(at ticks: UInt64) -> Int64 {
        last = max(last, ticks)
        return Int64(truncatingIfNeeded: last) &+ offset
    }
}

extension RecordingClock.Reading {
    /// The most precise of three readings, because the thread may be preempted between the two clocks.
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
