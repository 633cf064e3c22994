import Configuration
import Relay
import TestSupport
import Testing

/// `FAULTS.md`, "Ends of streams": orderly ends.
@Suite struct EndOfStreamTests {
    @Test(arguments: RelayHarness.Pump.allCases, [message, stream])
    func clientHalfCloses_theAnswerComesMuchLater_arrivesWhole(pump: RelayHarness.Pump, size: Int) async throws {
        try await RelayHarness.run(pump: pump) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            let request = try Background("request") {
                try client.send(upBytes, 0..<size)
                client.endWriting()
            }
            #expect(try upstream.receiveToEnd(upBytes) == .fin(size))
            try request.value()
            #expect(relay.idleShare() < idle, "half closed, and nothing moves for a second")
            #expect(relay.endedCount == 0)
            let answer = try Background("answer") {
                try upstream.send(downBytes, 0..<size)
                upstream.close()
            }
            #expect(try client.receiveToEnd(downBytes) == .fin(size))
            try answer.value()
            #expect(try relay.end().summary == .init(.clientClosed, up: size, down: size))
        }
    }

    @Test(arguments: RelayHarness.Pump.allCases, [message, stream])
    func upstreamHalfClosesFirst_clientContinuesSending_arrivesWhole(pump: RelayHarness.Pump, size: Int) async throws {
        try await RelayHarness.run(pump: pump) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            try upstream.send(downBytes, 0..<message)
            upstream.endWriting()
            #expect(try client.receiveToEnd(downBytes) == .fin(message))
            let sender = try Background("client") {
                try client.send(upBytes, 0..<size)
                client.close()
            }
            #expect(try upstream.receiveToEnd(upBytes) == .fin(size))
            try sender.value()
            #expect(try relay.end().summary == .init(.upstreamClosed, up: size, down: message))
        }
    }

    /// Every buffer on the path is full when the FIN is sent, so the FIN has to wait behind them.
    @Test(arguments: RelayHarness.Pump.allCases)
    func endOfStream_behindEightMegabytesAndASleepingReader_comesAfterThem(pump: RelayHarness.Pump) async throws {
        try await RelayHarness.run(pump: pump, receiveBuffer: 64 << 10) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            let size = 8 << 20
            let sender = try Background("client") {
                try client.send(upBytes, 0..<size)
                client.endWriting()
            }
            try await relay.live("bytes pass") { $0.bytesUp > 0 }
            #expect(relay.idleShare() < idle, "the reader sleeps")
            #expect(try upstream.receiveToEnd(upBytes) == .fin(size))
            try sender.value()
            upstream.close()
            #expect(try client.receiveToEnd(downBytes) == .fin(0))
            #expect(try relay.end().summary == .init(.clientClosed, up: size, down: 0))
        }
    }

    /// The FIN follows what fits into the buffers: it has been read while the destination is still blocked.
    @Test(arguments: RelayHarness.Pump.allCases)
    func endOfStream_readWhileTheDestinationIsBlocked_comesAfterWhatIsKept(pump: RelayHarness.Pump) async throws {
        try await RelayHarness.run(pump: pump, receiveBuffer: 4 << 10) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            let size = try client.sendUntilStalled(upBytes)
            client.endWriting()
            #expect(try upstream.receiveToEnd(upBytes, piece: 64 << 10) == .fin(size))
            upstream.close()
            #expect(try relay.end().summary == .init(.clientClosed, up: size, down: 0))
        }
    }

    @Test(arguments: [true, false])
    func oneSideNeverClosesItsHalf_endsAtTheHalfCloseTimeout(clientFirst: Bool) async throws {
        let timeouts = Timeouts(halfClose: .milliseconds(300))
        try await RelayHarness.run(timeouts: timeouts) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            let (first, other) = clientFirst ? (client, upstream) : (upstream, client)
            first.endWriting()
            #expect(try other.receiveToEnd(upBytes) == .fin(0))
            let record = try relay.end()
            #expect(record.summary == .init(.halfCloseTimeout, up: 0, down: 0))
            #expect((record.end?.duration ?? 0) >= 300_000_000)
            #expect(try first.receiveToEnd(upBytes) == .reset(0), "Tapline's own end is a reset")
        }
    }

    /// The half-close timeout counts from the last byte, and pauses while the open flow waits for its reader.
    @Test func halfClosed_openFlowWaitsForItsReader_isNotCut() async throws {
        let timeouts = Timeouts(halfClose: .milliseconds(400))
        try await RelayHarness.run(timeouts: timeouts) { relay, listener in
            let (client, upstream) = try relay.pair(listener, receiveBuffer: 4 << 10)
            // Before the client ends its half, because from then on the timeout for the open half counts.
            let size = try upstream.sendUntilStalled(downBytes)
            client.endWriting()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(0))
            Deadline.letPass(.milliseconds(900))
            #expect(relay.endedCount == 0)
            upstream.close()
            #expect(try client.receiveToEnd(downBytes, piece: 64 << 10) == .fin(size))
            #expect(try relay.end().summary == .init(.clientClosed, up: 0, down: size))
        }
    }

    @Test func halfCloseTimeoutOff_oneHalfStaysOpen() async throws {
        let timeouts = Timeouts(idle: .zero, halfClose: .zero)
        try await RelayHarness.run(timeouts: timeouts) { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            client.endWriting()
            #expect(try upstream.receiveToEnd(upBytes) == .fin(0))
            #expect(relay.idleShare() < idle)
            #expect(relay.endedCount == 0)
            try upstream.send(downBytes, 0..<message)
            upstream.close()
            #expect(try client.receiveToEnd(downBytes) == .fin(message))
        }
    }

    @Test func bothSidesCloseAtOnce_isOneEndEachTime() async throws {
        try await RelayHarness.run { relay, listener in
            for round in 1...100 {
                let (client, upstream) = try relay.pair(listener)
                let other = try Background("close") { upstream.close() }
                client.close()
                try other.value()
                let record = try #require(try relay.ended(round).last)
                #expect(record.end?.reason == .clientClosed || record.end?.reason == .upstreamClosed)
                #expect(record.end?.errno == nil)
            }
            #expect(relay.endedCount == 100)
        }
    }

    /// `nc -N` with empty input: the client's end of stream is a half-close, and the greeting still comes.
    @Test func clientEndsAtOnceWithoutAByte_stillGetsTheGreeting() async throws {
        try await RelayHarness.run { relay, listener in
            let client = try relay.connect()
            client.endWriting()
            let upstream = try listener.accept()
            try upstream.send(downBytes, 0..<message)
            #expect(try upstream.receiveToEnd(upBytes) == .fin(0))
            upstream.close()
            #expect(try client.receiveToEnd(downBytes) == .fin(message))
            #expect(try relay.end().summary == .init(.clientClosed, up: 0, down: message))
        }
    }

    @Test func upstreamSpeaksFirst_isHeardWithoutAByteOfTheClient() async throws {
        try await RelayHarness.run { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            try upstream.send(downBytes, 0..<message)
            try client.receive(downBytes, 0..<message)
            try client.send(upBytes, 0..<message)
            try upstream.receive(upBytes, 0..<message)
            client.close()
            #expect(try upstream.receiveToEnd(upBytes, from: message) == .fin(message))
            upstream.close()
            #expect(try relay.end().summary == .init(.clientClosed, up: message, down: message))
        }
    }

    /// Bytes and a FIN that arrived before the upstream was connected are kept for it.
    @Test func clientSendsAndEndsWhileTheUpstreamConnects_isPassedOnThen() async throws {
        try await Exclusive.run {
            let hole = try PeerListener.blackHole()
            try await RelayHarness.runAlone([.to(.address(hole.address))]) { relay in
                let client = try relay.connect()
                try client.send(upBytes, 0..<message)
                client.endWriting()
                try relay.awaitOpen(1)
                // Room in the queue: the system retries by itself after a second.
                try hole.accept().close()
                let upstream = try hole.accept()
                #expect(try upstream.receiveToEnd(upBytes) == .fin(message))
                try upstream.send(downBytes, 0..<message)
                upstream.close()
                #expect(try client.receiveToEnd(downBytes) == .fin(message))
                #expect(try relay.end().summary == .init(.clientClosed, up: message, down: message))
            }
        }
    }
}
