import Configuration
import Glibc
import Recording
import Relay
import Sockets
import TestSupport
import Testing

/// `FAULTS.md`, "Ends of streams": a truncated stream must not look complete.
@Suite struct ResetTests {
    static let sizes = [0, 1, message, 100_000, stream]

    @Test(arguments: RelayHarness.Pump.allCases, sizes)
    func upstreamResets_clientGetsEverythingAndThenAReset(pump: RelayHarness.Pump, size: Int) async throws {
        try await RelayHarness.run(pump: pump) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            let sender = try Background("upstream") {
                try upstream.send(downBytes, 0..<size)
                try upstream.reset()
            }
            #expect(try client.receiveToEnd(downBytes) == .reset(size))
            try sender.value()
            #expect(try relay.end().summary == .init(.upstreamReset, up: 0, down: size, errno: "ECONNRESET"))
        }
    }

    @Test(arguments: RelayHarness.Pump.allCases, sizes)
    func clientResets_upstreamGetsEverythingAndThenAReset(pump: RelayHarness.Pump, size: Int) async throws {
        try await RelayHarness.run(pump: pump) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            let sender = try Background("client") {
                try client.send(upBytes, 0..<size)
                try client.reset()
            }
            #expect(try upstream.receiveToEnd(upBytes) == .reset(size))
            try sender.value()
            #expect(try relay.end().summary == .init(.clientReset, up: size, down: 0, errno: "ECONNRESET"))
        }
    }

    /// The reset arrives while the reader sleeps and everything before it is still in the kernel, the pipe and the
    /// relay.
    @Test(arguments: RelayHarness.Pump.allCases)
    func upstreamResets_readerAsleep_getsEverythingLaterAndThenAReset(pump: RelayHarness.Pump) async throws {
        try await RelayHarness.run(pump: pump) { relay, listener in
            let (client, upstream) = try relay.pair(listener, receiveBuffer: 4 << 10)
            let size = 100_000
            try upstream.send(downBytes, 0..<size)
            try upstream.reset()
            #expect(relay.idleShare() < idle, "the reset waits until what came before it is sent")
            #expect(relay.endedCount == 0)
            #expect(try client.receiveToEnd(downBytes, piece: 8 << 10) == .reset(size))
            #expect(try relay.end().summary == .init(.upstreamReset, up: 0, down: size, errno: "ECONNRESET"))
        }
    }

    /// As above with every buffer full: bytes in the sender's own system are discarded with the reset, but everything
    /// that the relay has received arrives.
    @Test(arguments: RelayHarness.Pump.allCases)
    func clientResets_everyBufferFull_everythingTakenArrives(pump: RelayHarness.Pump) async throws {
        try await RelayHarness.run(pump: pump, receiveBuffer: 4 << 10) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            let sent = try client.sendUntilStalled(upBytes)
            let taken = try await relay.live().bytesUp
            client.resetNow()
            let received = try upstream.receiveToEnd(upBytes, piece: 64 << 10)
            #expect(received.ending == .reset)
            #expect(received.count <= sent)
            #expect(received.count >= Int(taken))
            #expect(
                try relay.end().summary == .init(.clientReset, up: received.count, down: 0, errno: "ECONNRESET"))
        }
    }

    /// The bytes before the reset are never read: the half-close timeout limits the wait.
    @Test func upstreamResets_readerNeverReads_isResetAtTheBound() async throws {
        let timeouts = Timeouts(halfClose: .milliseconds(400))
        try await RelayHarness.run(timeouts: timeouts) { relay, listener in
            let (client, upstream) = try relay.pair(listener, receiveBuffer: 4 << 10)
            try upstream.send(downBytes, 0..<100_000)
            try upstream.reset()
            let record = try relay.end()
            #expect(record.end?.reason == .upstreamReset, "the reason stays the reset's")
            #expect((record.end?.duration ?? 0) >= 390_000_000)
            #expect(try client.receiveToEnd(downBytes).ending == .reset)
        }
    }

    /// Both flows stream when one side vanishes: writing to it must neither raise a signal nor hide the reason.
    @Test(arguments: RelayHarness.Pump.allCases, [Side.client, .upstream])
    func oneSideResets_whileBothFlowsStream_isItsReset(pump: RelayHarness.Pump, side: Side) async throws {
        try await RelayHarness.run(pump: pump) { relay, listener in
            let (client, upstream) = try relay.streamingPair(listener)
            let (goes, stays) = side == .client ? (client, upstream) : (upstream, client)
            // Sends until its socket reports the reset.
            let sender = try Background("sender") {
                try stays.send(side == .client ? downBytes : upBytes, stream..<(1 << 40))
            }
            try await relay.live("bytes pass") { (side == .client ? $0.bytesDown : $0.bytesUp) > UInt64(stream) }
            goes.resetNow()
            let record = try relay.end()
            #expect(record.end?.reason == (side == .client ? .clientReset : .upstreamReset))
            #expect(throws: TestFailure.self) { try sender.value() }
        }
    }

    @Test(arguments: [Side.client, .upstream])
    func sideEndsItsHalfAndThenResets_isAResetToTheOther(side: Side) async throws {
        try await RelayHarness.run { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            let (first, other) = side == .client ? (client, upstream) : (upstream, client)
            try first.send(upBytes, 0..<message)
            first.endWriting()
            #expect(try other.receiveToEnd(upBytes) == .fin(message))
            first.resetNow()
            #expect(try relay.end().end?.reason == (side == .client ? .clientReset : .upstreamReset))
            #expect(throws: TestFailure.self) { try other.send(downBytes, 0..<(64 << 20)) }
        }
    }

    /// `close` with unread bytes makes the system send a reset.
    @Test func clientClosesWithoutReadingTheAnswer_isItsReset() async throws {
        try await RelayHarness.run { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            try upstream.send(downBytes, 0..<message)
            try await relay.live("the answer is there") { $0.bytesDown == UInt64(message) }
            try Deadline.poll("and with the client") { client.hasBytes }
            client.close()
            #expect(try upstream.receiveToEnd(upBytes) == .reset(0))
            #expect(
                try relay.end().summary == .init(.clientReset, up: 0, down: message, errno: "ECONNRESET"))
        }
    }

    /// The upstream may be gone before the relay notices that it accepted. That was not a refusal, and its bytes count.
    @Test func upstreamGreetsAndResetsAtOnce_clientGetsTheGreetingAndThenAReset() async throws {
        try await RelayHarness.run { relay, listener in
            for round in 1...200 {
                let client = try relay.connect()
                let upstream = try listener.accept()
                try upstream.send(downBytes, 0..<message)
                upstream.resetNow()
                #expect(try client.receiveToEnd(downBytes) == .reset(message))
                client.close()
                let record = try #require(try relay.ended(round).last)
                #expect(record.summary == .init(.upstreamReset, up: 0, down: message, errno: "ECONNRESET"))
                #expect(record.connectDuration != nil)
            }
        }
    }

    /// A reset waits until the upstream has the bytes before it. The upstream has ended, so its leg is no longer
    /// watched; then it resets too, and there is nothing left to wait for.
    @Test(arguments: RelayHarness.Pump.allCases)
    func clientResets_andTheUpstreamToo_afterBothHaveEnded_isOverAtOnce(pump: RelayHarness.Pump) async throws {
        try await RelayHarness.run(pump: pump, receiveBuffer: 4 << 10) { relay, listener in
            let (client, upstream) = try relay.pair(listener, receiveBuffer: 4 << 10)
            try client.send(upBytes, 0..<100_000)
            client.endWriting()
            // The upstream's FIN reaches the relay's system after bytes that the client, which does not read, has yet
            // to receive: the relay holds some of them. Piece by piece, for which its system always has room.
            var sent = 0
            repeat {
                try upstream.send(downBytes, sent..<sent + 16 << 10)
                try upstream.awaitSent()
                sent += 16 << 10
            } while await relay.service.liveConnections(kernel: false).first?.down.held == 0
            upstream.endWriting()
            try upstream.awaitSent()
            client.resetNow()
            while await relay.service.liveConnections(kernel: false).first?.state != .resetting {
                try #require(relay.endedCount == 0)
                Deadline.letPass(.milliseconds(1))
            }
            upstream.resetNow()
            #expect(try relay.end().end?.reason == .clientReset)
        }
    }

    /// A Unix socket whose peer closed with unread bytes returns EPIPE to a writer, and ECONNRESET to a reader after
    /// that. Whichever comes first, earlier bytes arrive, and then the end is passed on at once.
    @Test(arguments: RelayHarness.Pump.allCases)
    func unixUpstreamCloses_whileTheClientSends_isPassedOnAtOnce(pump: RelayHarness.Pump) async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let listener = try PeerListener(.unix(path: folder + "/upstream"))
                try await RelayHarness.runAlone([.to(.address(listener.address))], pump: pump) { relay in
                    for round in 1...300 {
                        let (client, upstream) = try relay.pair(listener)
                        let sender = try Background("client") { try client.send(upBytes, 0..<(1 << 40)) }
                        try upstream.receive(upBytes, 0..<(round % 5 * 100_000 + message))
                        try upstream.send(downBytes, 0..<message)
                        upstream.close()
                        // The end may be a reset or not: the sender may have met the error first.
                        #expect(try client.receiveToEnd(downBytes).count == message, "round \(round)")
                        #expect(throws: TestFailure.self) { try sender.value() }
                        client.close()
                        let record = try #require(try relay.ended(round).last)
                        #expect(record.end?.reason == .upstreamReset && record.bytesDown == UInt64(message))
                    }
                }
            }
        }
    }

    @Test func manyAbruptEnds_eachHasItsRecordAndNothingIsLeft() async throws {
        try await RelayHarness.run(workers: 2) { relay, listener in
            for round in 0..<300 {
                let (client, upstream) = try relay.pair(listener)
                try client.send(upBytes, 0..<message)
                if round % 3 == 0 { try upstream.receive(upBytes, 0..<message) }
                (round % 2 == 0 ? client : upstream).resetNow()
            }
            let records = try relay.ended(300)
            let others = records.filter { $0.end?.reason != .clientReset && $0.end?.reason != .upstreamReset }
            #expect(others.map(\.summary) == [])
        }
    }
}
