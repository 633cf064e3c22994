import Configuration
import Relay
import TestSupport
import Testing

/// The half-close timeout is for halves that nobody needs any more, not for readers that take their time.
@Suite struct HalfCloseTimeoutTests {
    private static let timeouts = Timeouts(halfClose: .milliseconds(700))

    /// The answer waits in the relay's socket, or behind it, for more than two timeouts; then it is all there. The
    /// upstream keeps its half open, and only when the reader has everything does its time begin.
    @Test(arguments: RelayHarness.Pump.allCases, [16 << 10, 2 << 20])
    func readerTakesItsTime_getsEverythingAndOnlyThenTheTimeoutCounts(
        pump: RelayHarness.Pump, size: Int
    ) async throws {
        try await RelayHarness.run(pump: pump, timeouts: Self.timeouts) { relay, listener in
            let (client, upstream) = try relay.pair(listener, receiveBuffer: 4 << 10)
            try client.send(upBytes, 0..<message)
            client.endWriting()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(message))
            let answer = try Background("answer") { try upstream.send(downBytes, 0..<size) }
            if size == 16 << 10 {
                try await relay.live("the relay's socket holds all of it") { $0.bytesDown == UInt64(size) }
            }
            Deadline.letPass(.milliseconds(2150))
            #expect(relay.endedCount == 0)
            try client.receive(downBytes, 0..<size)
            let taken = Deadline.now
            try answer.value()
            let record = try relay.end()
            // The reader is looked at every 200 ms.
            #expect(Deadline.now - taken >= 400_000_000)
            #expect(record.summary == .init(.halfCloseTimeout, up: message, down: size))
            #expect(try client.receiveToEnd(downBytes, from: size) == .reset(size))
        }
    }

    @Test func readerHasEverything_theOpenHalfIsAbandoned_ends() async throws {
        try await RelayHarness.run(timeouts: Self.timeouts) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            client.endWriting()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(0))
            try upstream.send(downBytes, 0..<message)
            // Unread, but the reader's system has it: nothing of it can be lost any more.
            try relay.ended(1)
            #expect(try relay.end().summary == .init(.halfCloseTimeout, up: 0, down: message))
        }
    }
}
