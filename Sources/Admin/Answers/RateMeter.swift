/// Rates from counters that are looked at now and then. A value without a clock of its own.
struct RateMeter<Key: Hashable & Sendable>: Sendable {
    /// Some counters at one moment.
    struct Reading: Hashable, Sendable {
        var up: UInt64 = 0
        var down: UInt64 = 0
        var accepted: UInt64 = 0
    }

    /// Units a second.
    struct Rate: Hashable, Sendable {
        var up: Double = 0
        var down: Double = 0
        var accepted: Double = 0
    }

    /// Two looks closer together than this say little; further apart than the other, nothing of what goes on now.
    static var leastSpan: Duration { .milliseconds(200) }
    static var mostSpan: Duration { .seconds(5) }

    private typealias Look = (time: ContinuousClock.Instant, readings: [Key: Reading])
    private var before: Look?
    private var latest: Look?
    private var current: Look?

    /// Nothing looked at yet.
    init() {}

    /// Whether rates are known at a moment.
    func isReady(at time: ContinuousClock.Instant) -> Bool {
        guard let before else { return false }
        return time - before.time <= Self.mostSpan
    }

    /// Takes a look.
    mutating func look(_ readings: [Key: Reading], at time: ContinuousClock.Instant) {
        current = (time, readings)
        if let latest, time - latest.time < Self.leastSpan { return }
        before = latest
        latest = current
    }

    /// What something did of late; something new since the look before counts from nothing.
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
