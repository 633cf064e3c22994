import Relay
import Testing

@testable import Daemon

struct StatusLineTests {
    private func sample(_ second: UInt64, open: Int, accepted: UInt64, up: UInt64, down: UInt64) -> StatusLine.Sample {
        var stats = RelayStats()
        stats.accepted = accepted
        stats.bytesUp = up
        stats.bytesDown = down
        return StatusLine.Sample(["one": stats, "two": stats], open: open, at: second * 1_000_000_000)
    }

    /// Two samples may have the same time, and a counter may wrap around.
    @Test func counters_ofAnySize_areShown() {
        var line = StatusLine()
        var stats = RelayStats()
        _ = line.next(StatusLine.Sample(["one": stats], open: 0, at: 5), generation: 1, wasRejected: false)
        (stats.accepted, stats.bytesUp, stats.bytesDown) = (.max, .max, 1)
        let sample = StatusLine.Sample(["one": stats, "two": stats], open: 0, at: 6)
        #expect(
            line.next(sample, generation: 1, wasRejected: false)
                == "generation 1: 0 open, 18446744073709551614 accepted; 16.0 EiB/s up, 1.86 GiB/s down")
        #expect(
            line.next(StatusLine.Sample([:], open: 0, at: 7), generation: 1, wasRejected: false)
                == "generation 1: 0 open, 0 accepted; 0 B/s up, 0 B/s down")
    }

    @Test func rates_areThoseSinceTheLastReading() {
        var line = StatusLine()
        #expect(
            line.next(sample(10, open: 1, accepted: 1, up: 100, down: 0), generation: 1, wasRejected: false)
                == "generation 1: 1 open, 2 accepted")
        #expect(
            line.next(sample(15, open: 3, accepted: 4, up: 600, down: 5120 << 10), generation: 2, wasRejected: true)
                == "generation 2: 3 open, 8 accepted; 200 B/s up, 2.00 MiB/s down; "
                + "the last reload was rejected, see the log")
        // An unchanged line is not sent again.
        let still = sample(20, open: 3, accepted: 4, up: 600, down: 5120 << 10)
        let first = line.next(still, generation: 2, wasRejected: false)
        #expect(first == "generation 2: 3 open, 8 accepted; 0 B/s up, 0 B/s down")
        #expect(
            line.next(sample(25, open: 3, accepted: 4, up: 600, down: 5120 << 10), generation: 2, wasRejected: false)
                == first)
    }
}
