import EventLoop
import Sockets
import TestSupport
import Testing

@testable import Relay

/// `FAULTS.md`: one byte sent out of band in mid-stream. `splice` stops at its mark and returns EAGAIN indefinitely.
@Suite struct UrgentByteTests {
    @Test(arguments: RelayHarness.Pump.allCases)
    func urgentByte_amongMessages_arrivesInline(pump: RelayHarness.Pump) async throws {
        try await RelayHarness.run(pump: pump) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            for round in 0..<10 {
                let start = round * 11
                try client.send(upBytes, start..<start + 5)
                try client.sendUrgent(upBytes, at: start + 5)
                try client.send(upBytes, start + 6..<start + 11)
                try upstream.receive(upBytes, start..<start + 11)
            }
            #expect(relay.idleShare() < idle)
            client.close()
            #expect(try upstream.receiveToEnd(upBytes, from: 110) == .fin(110))
            upstream.close()
            #expect(try relay.end().summary == .init(.clientClosed, up: 110, down: 0))
        }
    }

    @Test(arguments: RelayHarness.Pump.allCases)
    func urgentByte_inAStream_nothingIsLostAndNothingSpins(pump: RelayHarness.Pump) async throws {
        try await RelayHarness.run(pump: pump) { relay, listener in
            let (client, upstream) = try relay.streamingPair(listener)
            let parts = 4
            let end = stream * (1 + parts)
            let sender = try Background("client") {
                for part in 1...parts {
                    let start = part * stream
                    try client.send(upBytes, start..<start + stream / 2)
                    try client.sendUrgent(upBytes, at: start + stream / 2)
                    try client.send(upBytes, start + stream / 2 + 1..<start + stream)
                }
            }
            try upstream.receive(upBytes, stream..<end)
            try sender.value()
            #expect(relay.idleShare() < idle)
            let live = try await relay.live()
            #expect(pump == .copy || live.splicedUp > 0)
            client.close()
            #expect(try upstream.receiveToEnd(upBytes, from: end) == .fin(end))
            upstream.close()
            #expect(try relay.end().summary == .init(.clientClosed, up: end, down: stream))
        }
    }

    /// The urgent byte is the last one: it must not wait for a byte after it.
    @Test(arguments: RelayHarness.Pump.allCases)
    func urgentByte_isTheLast_arrivesAndNothingSpins(pump: RelayHarness.Pump) async throws {
        try await RelayHarness.run(pump: pump) { relay, listener in
            let (client, upstream) = try relay.streamingPair(listener)
            try client.sendUrgent(upBytes, at: stream)
            try upstream.receive(upBytes, stream..<stream + 1)
            #expect(relay.idleShare() < idle)
            client.endWriting()
            #expect(try upstream.receiveToEnd(upBytes, from: stream + 1) == .fin(stream + 1))
        }
    }

    /// While reads are paused, the mark is the only event of a leg that could be watched.
    @Test(arguments: RelayHarness.Pump.allCases)
    func urgentByte_whileReadingIsPaused_doesNotSpinAndArrivesLater(pump: RelayHarness.Pump) async throws {
        try await RelayHarness.run(pump: pump, receiveBuffer: 4 << 10) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            let size = try client.sendUntilStalled(upBytes, piece: 64 << 10)
            let sender = try Background("client") {
                try client.sendUrgent(upBytes, at: size)
                try client.send(upBytes, size + 1..<size + 100_000)
                client.endWriting()
            }
            #expect(relay.idleShare() < idle, "the mark waits in the source while reads are paused")
            let received = try upstream.receiveToEnd(upBytes, piece: 64 << 10)
            #expect(received == .fin(size + 100_000))
            try sender.value()
            upstream.close()
            #expect(try relay.end().summary == .init(.clientClosed, up: size + 100_000, down: 0))
        }
    }

    /// An action in the middle of a turn: after the loop has queried what is ready, and before it calls the watches.
    private final class Bell: Poll {
        private let listener: PeerListener
        private let rung: () throws -> Void
        private(set) var failure: (any Error)?

        init(loop: EventLoop, rung: @escaping () throws -> Void) throws {
            listener = try PeerListener(.ipv4(.loopback, port: 0))
            self.rung = rung
            try super.init(loop: loop, fd: listener.fd, for: .readable)
        }

        /// Must be called before another event of the next turn is ready.
        func pull() throws {
            _ = try Peer.connect(to: listener.address)
            try Deadline.poll("the bell can be heard") { listener.isAwaited }
        }

        override func ready(_ events: Events) {
            close()
            do { try rung() } catch { failure = error }
        }
    }

    /// The client's reset arrives when the loop already knows that there are bytes, but not yet of the reset: `splice`
    /// meets the error, at the mark, with bytes after it.
    @Test(arguments: [false, true])
    func urgentByte_thenAResetInTheSameTurn_whatIsBehindTheMarkArrives(whileBlocked: Bool) async throws {
        try await LoopHarness.run { harness in
            let listener = try PeerListener(.ipv4(.loopback, port: 0), receiveBuffer: 4 << 10)
            try OneWorker.run(port: #require(listener.address.port), harness) { worker in
                let client = try worker.clients(1)[0]
                try worker.lookup(1).answer(.success([.ipv4(.loopback, port: 0)]))
                let upstream = try worker.accept(listener)
                let sender = try Background("client") { try client.send(upBytes, 0..<stream) }
                let receiver = try Background("upstream") { try upstream.receive(upBytes, 0..<stream) }
                try worker.turn(until: "the flow has streamed") { sender.isDone && receiver.isDone }
                try sender.value()
                try receiver.value()
                var position = stream
                while whileBlocked {
                    try client.send(upBytes, position..<position + 64 << 10)
                    position += 64 << 10
                    harness.turnAFewTimes()
                    let live = try worker.live()
                    if live.up.held > 0 && live.client?.kernel?.receiveQueue == 0 { break }
                }
                #expect(try worker.live().up.splices)
                let bell = try harness.keep(Bell(loop: harness.loop) { try client.reset() })
                try bell.pull()
                try client.sendUrgent(upBytes, at: position)
                try client.send(upBytes, position + 1..<position + 1000)
                try client.awaitSent()
                harness.loop.turn(wait: true)
                #expect(bell.isClosed && bell.failure == nil)
                let rest = try Background("the rest") { try upstream.receiveToEnd(upBytes, from: stream) }
                let record = try #require(try worker.ended().first)
                #expect(try rest.value() == .reset(position + 1000))
                #expect(
                    record.summary == .init(.clientReset, up: position + 1000, down: 0, errno: "ECONNRESET"))
            }
        }
    }
}
