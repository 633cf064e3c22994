/// The rates of the relays over the last two minutes, for graphs. A value that does not read a clock.
///
/// A sample takes 8 bytes per relay, so a relay takes about 1 KB, and all of them at most 1 MB (`mostRelays`). Times are
/// monotonic: a change of the system's time moves no sample.
struct RateHistory: Sendable {
    /// Bytes per second. `Float`, because a graph shows three digits at most, and no traffic overflows it.
    struct Rate: Hashable, Sendable {
        var up: Float = 0
        var down: Float = 0
    }

    /// A relay's bytes so far.
    struct Reading: Hashable, Sendable {
        var up: UInt64 = 0
        var down: UInt64 = 0
    }

    /// The age at which samples are dropped.
    static let span = Duration.seconds(120)
    /// The most samples: one a second, and the one at the start of the span.
    static let mostSamples = 121
    /// The most relays with a history of their own; the total includes the others.
    static let mostRelays = 1000

    /// When each sample was taken, oldest first.
    private(set) var times: [ContinuousClock.Instant] = []
    /// The sum of all relays, one rate for each time.
    private(set) var total: [Rate] = []
    /// The rates of each relay. One that was added later has fewer; they belong to the latest times.
    private(set) var relays: [String: [Rate]] = [:]
    private var previous: (time: ContinuousClock.Instant, readings: [String: Reading])?

    /// No samples.
    init() {}

    /// Adds the counters of every relay. The first call only sets the start, from which the next one counts.
    mutating func add(_ readings: [String: Reading], at time: ContinuousClock.Instant) {
        guard let last = previous else {
            previous = (time, readings)
            return
        }
        let seconds = (time - last.time) / .seconds(1)
        guard seconds > 0 else { return }
        previous = (time, readings)
        var sum = Rate()
        var rates: [String: Rate] = [:]
        for (name, reading) in readings {
            // A relay that is new since the last sample counts from zero.
            let before = last.readings[name] ?? Reading()
            let rate = Rate(
                up: Self.perSecond(reading.up, before.up, seconds),
                down: Self.perSecond(reading.down, before.down, seconds))
            sum.up += rate.up
            sum.down += rate.down
            rates[name] = rate
        }
        times.append(time)
        total.append(sum)
        for name in relays.keys where rates[name] == nil { relays[name] = nil }
        for (name, rate) in rates where relays[name] != nil || relays.count < Self.mostRelays {
            relays[name, default: []].append(rate)
        }
        dropOld(at: time)
    }

    /// A counter that wrapped around, or started again, has no rate.
    private static func perSecond(_ now: UInt64, _ before: UInt64, _ seconds: Double) -> Float {
        now > before ? Float(Double(now - before) / seconds) : 0
    }

    private mutating func dropOld(at time: ContinuousClock.Instant) {
        var count = times.prefix { time - $0 > Self.span }.count
        count = max(count, times.count - Self.mostSamples)
        guard count > 0 else { return }
        times.removeFirst(count)
        total.removeFirst(count)
        for name in relays.keys {
            let extra = (relays[name]?.count ?? 0) - times.count
            if extra > 0 { relays[name]?.removeFirst(extra) }
        }
    }
}
