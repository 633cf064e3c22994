import Configuration
import Relay
import TestSupport
import Testing

/// The one record of a connection, live and ended.
@Suite struct RecordTests {
    @Test func messages_areNeverSpliced() async throws {
        try await RelayHarness.run { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            for round in 0..<50 {
                let range = round * message..<(round + 1) * message
                try client.send(upBytes, range)
                try upstream.receive(upBytes, range)
                try upstream.send(downBytes, range)
                try client.receive(downBytes, range)
            }
            client.close()
            upstream.close()
            let record = try relay.end()
            #expect((record.splicedUp, record.splicedDown) == (0, 0))
            #expect((record.bytesUp, record.bytesDown) == (UInt64(50 * message), UInt64(50 * message)))
        }
    }

    @Test func streams_areSpliced_unlessATapWatches() async throws {
        for pump in RelayHarness.Pump.allCases {
            try await RelayHarness.run(pump: pump) { relay, listener in
                let (client, upstream) = try relay.streamingPair(listener)
                client.close()
                upstream.close()
                let record = try relay.end()
                #expect((record.bytesUp, record.bytesDown) == (UInt64(stream), UInt64(stream)))
                #expect((record.splicedUp > 0) == (pump == .splice))
                #expect((record.splicedDown > 0) == (pump == .splice))
            }
        }
    }

    @Test func durations_areThereWhenTheirMomentCame() async throws {
        try await RelayHarness.run { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            try client.send(upBytes, 0..<message)
            try upstream.receive(upBytes, 0..<message)
            let silent = try await relay.live()
            #expect(silent.firstByteDuration == nil)
            #expect(silent.end == nil)
            let connected = try #require(silent.connectDuration)
            Deadline.letPass(.milliseconds(30))
            try upstream.send(downBytes, 0..<message)
            try client.receive(downBytes, 0..<message)
            client.close()
            upstream.close()
            let record = try relay.end()
            let (first, end) = (try #require(record.firstByteDuration), try #require(record.end))
            #expect(record.connectDuration == connected)
            #expect(connected > 0)
            #expect(first >= connected + 30_000_000)
            #expect(end.duration >= first)
            #expect(end.errno == nil)
            // The wall clock and the monotonic clock measure the same time; one may be set in between, and the machine
            // may delay the relay between the two readings.
            #expect(abs(end.time - record.accepted - end.duration) < 60_000_000_000)
        }
    }

    @Test func names_areTheRelaysAndThePeers() async throws {
        try await RelayHarness.run { relay, listener in
            let (client, _) = try relay.pair(listener)
            // The upstream accepts before the relay has noticed it.
            let record = try await relay.live("connected") { $0.connectDuration != nil }
            #expect(record.relay == "relay")
            #expect(record.generation == 1)
            #expect(record.client == client.address)
            #expect(record.listener == (try relay.listener()))
            #expect(record.upstream == "\(listener.address)")
            #expect(record.upstreamAddress == listener.address)
            #expect((record.recordedBytes, record.droppedBytes) == (nil, nil))
        }
    }

    @Test func liveConnections_ofEveryWorker_areListedByID() async throws {
        try await RelayHarness.run(workers: 3) { relay, listener in
            var clients: [Peer] = []
            for number in 0..<30 {
                let (client, upstream) = try relay.pair(listener)
                try client.send(upBytes, 0..<number + 1)
                try upstream.receive(upBytes, 0..<number + 1)
                clients.append(client)
            }
            let records = await relay.service.connections()
            #expect(records.map(\.id) == (1...30).map(UInt64.init))
            #expect(Set(records.map(\.client)) == Set(clients.map(\.address)))
            for record in records {
                let number = try #require(clients.firstIndex { $0.address == record.client })
                #expect(record.bytesUp == UInt64(number + 1), "bytes are counted as they pass")
                #expect(record.end == nil)
            }
            #expect(relay.service.openConnections == 30)
        }
    }

    /// Bytes that the destination did not receive before the cut are not counted.
    @Test func cutConnection_countsWhatTheDestinationTook() async throws {
        try await RelayHarness.run(receiveBuffer: 4 << 10) { relay, listener in
            let (client, _) = try relay.pair(listener)
            let sent = try client.sendUntilStalled(upBytes)
            // The relay accepts nothing either while its thread is delayed: everything is full when the relay holds
            // some bytes and has not moved since.
            var live = try await relay.live()
            let deadline = Deadline()
            while true {
                Deadline.letPass(.milliseconds(50))
                let later = try #require(await relay.service.liveConnections(kernel: false).first)
                let isStill = later.up.held > 0 && later.record.bytesUp == live.bytesUp
                live = later.record
                if isStill { break }
                guard !deadline.isOver else { throw TestFailure("the destination still receives") }
            }
            #expect(live.bytesUp < UInt64(sent))
            #expect(await relay.service.kill(live.id))
            let record = try relay.end()
            #expect(record.end?.reason == .killed)
            #expect(record.bytesUp == live.bytesUp)
        }
    }
}
