/// Rates from counters that are sampled at irregular intervals. A value that does not read a clock.
struct RateMeter<Key: Hashable & Sendable>: Sendable {
    /// Counters at one moment.
    struct Reading: Hashable, Sendable {
        var up: UInt64 = 0
        var down: UInt64 = 0
        var accepted: UInt64 = 0
    }

    /// Units per second.
    struct Rate: Hashable, Sendable {
        var up: Double = 0
        var down: Double = 0
        var accepted: Double = 0
    }

    /// The shortest span between two samples, for precision, and the longest, for a current rate.
    static var leastSpan: Duration { .milliseconds(200) }
    static var mostSpan: Duration { .seconds(5) }

    private typealias Sample = (time: ContinuousClock.Instant, readings: [Key: Reading])
    private var before: Sample?
    private var latest: Sample?
    private var current: Sample?

    /// A meter without samples.
    init() {}

    /// Whether rates are known at a moment.
    func isReady(at time: ContinuousClock.Instant) -> Bool {
        guard let before else { return false }
        return time - before.time <= Self.mostSpan
    }

    /// Adds a sample.
    mutating func add(_ readings: [Key: Reading], at time: ContinuousClock.Instant) {
        current = (time, readings)
        if let latest, time - latest.time < Self.leastSpan { return }
        before = latest
        latest = current
    }

    /// The recent rate of a key; a key that is new since the previous sample counts from zero.
    func rate(of key: Key) -> Rate {
        guard let before, let current, let now = current.readings[key], current.time > before.time else {
            return Rate()
        }
        let span = (current.time - before.time) / .seconds(1)
        let then = before.readings[key] ?? Reading()
        func perSecond(_ now: UInt64, _ then: UInt64) -> Double { now > then ? Double(now - then) / span : 0 }
        return Rate(
            up: perSecond(now.up, then.up), down: perSecond(now.down, then.down),
            accepted: perSecond(now.accepted, then.accepted))
    }
}
