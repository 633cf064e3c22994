import Relay
import Testing

@testable import Daemon

struct StatusLineTests {
    private func look(_ second: UInt64, open: Int, accepted: UInt64, up: UInt64, down: UInt64) -> StatusLine.Look {
        var figures = RelayFigures()
        figures.accepted = accepted
        figures.bytesUp = up
        figures.bytesDown = down
        return StatusLine.Look(["one": figures, "two": figures], open: open, at: second * 1_000_000_000)
    }

    /// Two answers may come at once, and a counter may wrap around.
    @Test func figures_ofAnySize_areShown() {
        var line = StatusLine()
        var figures = RelayFigures()
        _ = line.next(StatusLine.Look(["one": figures], open: 0, at: 5), generation: 1, wasRejected: false)
        (figures.accepted, figures.bytesUp, figures.bytesDown) = (.max, .max, 1)
        let look = StatusLine.Look(["one": figures, "two": figures], open: 0, at: 6)
        #expect(
            line.next(look, generation: 1, wasRejected: false)
                == "generation 1: 0 open, 18446744073709551614 accepted; 16.0 EiB/s up, 1.86 GiB/s down")
        #expect(
            line.next(StatusLine.Look([:], open: 0, at: 7), generation: 1, wasRejected: false)
                == "generation 1: 0 open, 0 accepted; 0 B/s up, 0 B/s down")
    }

    @Test func rates_areThoseSinceTheLastLook() {
        var line = StatusLine()
        #expect(
            line.next(look(10, open: 1, accepted: 1, up: 100, down: 0), generation: 1, wasRejected: false)
                == "generation 1: 1 open, 2 accepted")
        #expect(
            line.next(look(15, open: 3, accepted: 4, up: 600, down: 5120 << 10), generation: 2, wasRejected: true)
                == "generation 2: 3 open, 8 accepted; 200 B/s up, 2.00 MiB/s down; "
                + "the last reload was rejected, see the log")
        // While nothing happens it stays as it is, and nothing is sent.
        let still = look(20, open: 3, accepted: 4, up: 600, down: 5120 << 10)
        let first = line.next(still, generation: 2, wasRejected: false)
        #expect(first == "generation 2: 3 open, 8 accepted; 0 B/s up, 0 B/s down")
        #expect(
            line.next(look(25, open: 3, accepted: 4, up: 600, down: 5120 << 10), generation: 2, wasRejected: false)
                == first)
    }
}
