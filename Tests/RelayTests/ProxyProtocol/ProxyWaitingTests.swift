import Configuration
import ProxyProtocol
import Recording
import Relay
import Sockets
import TestSupport
import Testing

@testable import Recorder

/// Other events while a header is awaited.
@Suite struct ProxyWaitingTests {
    private let accepting = ProxyProtocolSettings(accept: .ofLoopback)

    /// A client that had sent nothing sends its header, and is served to the end.
    private func serve(_ client: Peer, _ listener: PeerListener) throws {
        try client.send(farHeader() + upBytes.bytes(message))
        client.endWriting()
        let upstream = try listener.accept()
        #expect(try upstream.receiveToEnd(upBytes) == .fin(message))
        upstream.close()
        #expect(try client.receiveToEnd(downBytes) == .fin(0))
    }

    @Test func killedOrDrained_whileItWaits() async throws {
        try await RelayHarness.run(accepting) { relay, _ in
            let first = try relay.connect()
            try await relay.awaitsHeader()
            #expect(await relay.service.kill(1))
            #expect(try first.receiveToEnd(downBytes) == .reset(0))
            #expect(try relay.end().end?.reason == .killed)
            let second = try relay.connect()
            try await relay.awaitsHeader()
            relay.service.stop()
            try relay.join()
            #expect(try second.receiveToEnd(downBytes) == .reset(0))
            #expect(try relay.ended(2)[1].end?.reason == .drained)
        }
    }

    @Test func drain_waitsForTheHeaderAndWhatFollows() async throws {
        try await RelayHarness.run(accepting) { relay, listener in
            let client = try relay.connect()
            try await relay.awaitsHeader()
            relay.service.drain(within: .seconds(60))
            try serve(client, listener)
            try relay.join()
            let record = try relay.end()
            #expect(record.summary == .init(.clientClosed, up: message, down: 0))
            #expect(record.client == farEnds.source)
        }
    }

    /// The relay has been removed when the header arrives: the client is served like those that were open before, or
    /// ends with the drain.
    @Test(arguments: [true, false]) func removedRelay_keepsItsClients(isInTime: Bool) async throws {
        try await RelayHarness.run(accepting) { relay, listener in
            let client = try relay.connect()
            try await relay.awaitsHeader()
            try relay.service.apply(
                Configuration(workers: .exactly(1), relays: []), generation: 2,
                drain: isInTime ? .seconds(60) : .milliseconds(100))
            if isInTime {
                try serve(client, listener)
                #expect(try relay.end().end?.reason == .clientClosed)
            } else {
                #expect(try client.receiveToEnd(downBytes) == .reset(0))
                #expect(try relay.end().end?.reason == .drained)
            }
        }
    }

    @Test func maxConnections_countsThoseThatWait() async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            var settings = RelaySettings.to(.address(listener.address), maxConnections: 1)
            settings.proxyProtocol = accepting
            try await RelayHarness.runAlone([settings]) { relay in
                let first = try relay.connect()
                try await relay.awaitsHeader()
                let second = try relay.connect()
                try second.send(farHeader())
                // epoll reports the second one in another turn.
                var stats = try #require(await relay.service.stats()["relay"])
                for _ in 0..<10_000 where stats.acceptPauses == 0 {
                    Deadline.letPass(.milliseconds(1))
                    stats = try #require(await relay.service.stats()["relay"])
                }
                #expect(stats.accepted == 1 && stats.acceptPauses == 1)
                #expect(!listener.isAwaited)
                first.close()
                try relay.ended(1)
                let upstream = try listener.accept()
                second.close()
                #expect(try upstream.receiveToEnd(upBytes) == .fin(0))
                upstream.close()
                #expect(try relay.ended(2).map(\.client) == [first.address, farEnds.source])
            }
        }
    }

    /// A filter of clients applies to the address in the header, not to the load balancer.
    @Test func recording_choosesByTheHeadersClient() async throws {
        for (network, isRecorded) in [("192.0.2.0/24", true), ("127.0.0.0/8", false)] {
            try await TemporaryFolder.run { folder in
                try await Exclusive.run {
                    let listener = try PeerListener()
                    var settings = RelaySettings.to(.address(listener.address))
                    settings.proxyProtocol = accepting
                    settings.record = RecordSettings(directory: folder)
                    settings.record?.clients = [network].compactMap { Network($0) }
                    try await RelayHarness.runAlone([settings]) { relay in
                        let client = try relay.connect()
                        try await relay.awaitsHeader()
                        try serve(client, listener)
                        #expect(try relay.end().recordedBytes == (isRecorded ? UInt64(message) : nil))
                    }
                }
            }
        }
    }

    // MARK: Reading along

    /// The content of a live tap, read to its end.
    private func conversations(_ tap: LiveTap) async throws -> [RecordedConversation] {
        let reader = RecordingReader()
        for await piece in tap { reader.append(piece) }
        try reader.finish()
        var ended: [RecordedConversation] = []
        while let event = try reader.next() {
            if case .ended(let conversation) = event { ended.append(conversation) }
        }
        return ended
    }

    /// A live recording of this connection waits with it, and has the header's client from its first packet on. The
    /// time limit includes the wait for this test's turn.
    @Test(.timeLimit(.minutes(60))) func liveTapOfTheConnection_waitsForItsHeader() async throws {
        try await RelayHarness.run(accepting) { relay, listener in
            let client = try relay.connect()
            try await relay.awaitsHeader()
            let one = try relay.service.liveTap(connection: 1)
            let all = try relay.service.liveTap()
            // After both.
            await relay.service.pulse()
            try serve(client, listener)
            try relay.ended()
            var seen = try await conversations(one)
            // The other one ends with the service, when that is joined.
            relay.service.stop()
            try relay.join()
            seen += try await conversations(all)
            #expect(seen.map(\.client) == ["\(farEnds.source)", "\(farEnds.source)"])
            #expect(seen.allSatisfy { $0.hasStart && $0.up.recorded == UInt64(message) })
        }
    }

    @Test(.timeLimit(.minutes(60))) func liveTapOfTheConnection_endsWithIt_alsoBeforeTheHeader() async throws {
        try await RelayHarness.run(accepting) { relay, listener in
            let client = try relay.connect()
            try await relay.awaitsHeader()
            let tap = try relay.service.liveTap(connection: 1)
            await relay.service.pulse()
            client.close()
            #expect(try relay.end().end?.reason == .clientClosed)
            #expect(try await conversations(tap).isEmpty)
            #expect(!listener.isAwaited)
        }
    }
}
