import Configuration
import Relay
import TestSupport
import Testing

/// The half-close timeout is for abandoned halves, not for slow readers.
@Suite struct HalfCloseTimeoutTests {
    private static let timeouts = Timeouts(halfClose: .milliseconds(700))

    /// The answer waits in the relay's socket, or behind it, for more than two timeouts, and is then complete. The
    /// upstream keeps its half open, and its timeout begins only when the reader has everything.
    @Test(arguments: RelayHarness.Pump.allCases, [true, false])
    func readerTakesItsTime_getsEverythingAndOnlyThenTheTimeoutCounts(
        pump: RelayHarness.Pump, fitsTheSocket: Bool
    ) async throws {
        try await RelayHarness.run(pump: pump, timeouts: Self.timeouts) { relay, listener in
            let (client, upstream) = try relay.pair(listener, receiveBuffer: 4 << 10)
            // All of the answer is in transit when the client ends its half, because from then on the timeout counts;
            // it is more than the reader's system accepts.
            let few = 16 << 10
            let size = try fitsTheSocket ? few : upstream.sendUntilStalled(downBytes)
            if fitsTheSocket { try upstream.send(downBytes, 0..<few) }
            try await relay.live("the relay's socket holds all of it, or it is full") {
                fitsTheSocket ? $0.bytesDown == UInt64(few) : $0.bytesDown >= UInt64(few)
            }
            try client.send(upBytes, 0..<message)
            client.endWriting()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(message))
            Deadline.letPass(.milliseconds(2150))
            #expect(relay.endedCount == 0)
            // The timeout cannot begin to count before this.
            let begun = Deadline.now
            try client.receive(downBytes, 0..<size)
            let record = try relay.end()
            // The reader is polled every 200 ms.
            #expect(Deadline.now - begun >= 400_000_000)
            #expect(record.summary == .init(.halfCloseTimeout, up: message, down: size))
            #expect(try client.receiveToEnd(downBytes, from: size) == .reset(size))
        }
    }

    @Test func readerHasEverything_theOpenHalfIsAbandoned_ends() async throws {
        try await RelayHarness.run(timeouts: Self.timeouts) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            try upstream.send(downBytes, 0..<message)
            try await relay.live("the answer is on its way") { $0.bytesDown == UInt64(message) }
            client.endWriting()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(0))
            // Not read, but in the reader's socket, so it can no longer be lost.
            try relay.ended(1)
            #expect(try relay.end().summary == .init(.halfCloseTimeout, up: 0, down: message))
        }
    }
}
