import Relay
import Text

/// What `systemctl status` shows of Tapline: one line, made from two looks at its counters.
struct StatusLine: Hashable, Sendable {
    /// What the counters said at a moment.
    struct Look: Hashable, Sendable {
        /// Nanoseconds of the monotonic clock.
        var moment: UInt64
        var open: Int
        var accepted: UInt64
        var up: UInt64
        var down: UInt64

        init(_ figures: [String: RelayFigures], open: Int, at moment: UInt64) {
            self.moment = moment
            self.open = open
            accepted = figures.values.reduce(0) { $0 &+ $1.accepted }
            up = figures.values.reduce(0) { $0 &+ $1.bytesUp }
            down = figures.values.reduce(0) { $0 &+ $1.bytesDown }
        }
    }

    private var last: Look?

    /// The line: `generation 3: 12 open, 345 accepted; 1.20 MiB/s up, 340 KiB/s down`. `wasRejected`: the last reload.
    mutating func next(_ look: Look, generation: Int, wasRejected: Bool) -> String {
        defer { last = look }
        let line = "generation \(generation): \(look.open) open, \(look.accepted) accepted"
        let rejected = wasRejected ? "; the last reload was rejected, see the log" : ""
        guard let last, look.moment > last.moment else { return line + rejected }
        let seconds = Double(look.moment - last.moment) / 1e9
        let rate = { (now: UInt64, before: UInt64) in
            SizeText.short(UInt64(saturating: Double(now >= before ? now - before : 0) / seconds)) + "/s"
        }
        return line + "; \(rate(look.up, last.up)) up, \(rate(look.down, last.down)) down" + rejected
    }
}
