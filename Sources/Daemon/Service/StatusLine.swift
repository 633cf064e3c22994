import Relay
import Text

/// The status line in `systemctl status`, computed from two samples of the counters.
struct StatusLine: Hashable, Sendable {
    /// The counters at a moment.
    struct Sample: Hashable, Sendable {
        /// Nanoseconds of the monotonic clock.
        var moment: UInt64
        var open: Int
        var accepted: UInt64
        var up: UInt64
        var down: UInt64

        init(_ stats: [String: RelayStats], open: Int, at moment: UInt64) {
            self.moment = moment
            self.open = open
            accepted = stats.values.reduce(0) { $0 &+ $1.accepted }
            up = stats.values.reduce(0) { $0 &+ $1.bytesUp }
            down = stats.values.reduce(0) { $0 &+ $1.bytesDown }
        }
    }

    private var last: Sample?

    /// The line: `generation 3: 12 open, 345 accepted; 1.20 MiB/s up, 340 KiB/s down`. `wasRejected`: the last reload.
    mutating func next(_ sample: Sample, generation: Int, wasRejected: Bool) -> String {
        defer { last = sample }
        let line = "generation \(generation): \(sample.open) open, \(sample.accepted) accepted"
        let rejected = wasRejected ? "; the last reload was rejected, see the log" : ""
        guard let last, sample.moment > last.moment else { return line + rejected }
        let seconds = Double(sample.moment - last.moment) / 1e9
        let rate = { (now: UInt64, before: UInt64) in
            SizeText.short(UInt64(saturating: Double(now >= before ? now - before : 0) / seconds)) + "/s"
        }
        return line + "; \(rate(sample.up, last.up)) up, \(rate(sample.down, last.down)) down" + rejected
    }
}
