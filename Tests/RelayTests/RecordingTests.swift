import Configuration
import Glibc
import Relay
import Sockets
import Synchronization
import TestSupport
import Testing

@testable import Recorder

/// The effect of recordings on the relay and on the records of connections. The contents of the files are tested
/// elsewhere.
@Suite struct RecordingTests {
    @Test(arguments: [RecordSettings.WhenFull.drop, .block])
    func everyByte_isRecordedOrCounted(whenFull: RecordSettings.WhenFull) async throws {
        try await recorded(buffer: 64 << 10, whenFull: whenFull) { relay, listener, folder in
            let (client, upstream) = try relay.streamingPair(listener, bytes: 3 * stream)
            client.close()
            upstream.close()
            let record = try relay.end()
            let (taken, dropped) = (try #require(record.recordedBytes), try #require(record.droppedBytes))
            #expect(record.bytesUp == UInt64(3 * stream) && record.bytesDown == UInt64(3 * stream))
            #expect(taken + dropped == record.bytesUp + record.bytesDown)
            #expect((record.splicedUp, record.splicedDown) == (0, 0))
            if whenFull == .block { #expect(dropped == 0) }
            let stats = try #require(await relay.service.stats()["relay"])
            #expect((stats.recordedBytes, stats.droppedBytes) == (taken, dropped))
            #expect(try size(of: folder) > taken)
        }
    }

    @Test func underBlock_aReaderThatIsSlow_getsEverything_andSoDoesTheRecording() async throws {
        try await recorded(buffer: 64 << 10, whenFull: .block) { relay, listener, _ in
            let (client, upstream) = try relay.pair(listener, receiveBuffer: 4096)
            let sent = try upstream.sendUntilStalled(downBytes)
            let sender = try Background("down") {
                try upstream.send(downBytes, sent..<sent + stream)
                upstream.endWriting()
            }
            #expect(try client.receiveToEnd(downBytes, piece: 3000) == .fin(sent + stream))
            try sender.value()
            client.close()
            let record = try relay.end()
            #expect(record.recordedBytes == UInt64(sent + stream))
            #expect(record.droppedBytes == 0)
        }
    }

    @Test func underBlock_aResetBehindData_passesItAllOn() async throws {
        try await recorded(buffer: 64 << 10, whenFull: .block) { relay, listener, _ in
            let (client, upstream) = try relay.pair(listener)
            let receiver = try Background("down") { try client.receiveToEnd(downBytes) }
            try upstream.send(downBytes, 0..<stream)
            try upstream.reset()
            #expect(try receiver.value() == .reset(stream))
            let record = try relay.end()
            #expect(record.end?.reason == .upstreamReset)
            #expect(record.recordedBytes == UInt64(stream))
        }
    }

    @Test func maxBytes_bindsEachFlow_andTheRestIsNeitherRecordedNorDropped() async throws {
        try await recorded(maxBytes: 1000) { relay, listener, _ in
            let (client, upstream) = try relay.streamingPair(listener)
            client.close()
            upstream.close()
            let record = try relay.end()
            #expect(record.recordedBytes == 2000)
            #expect(record.droppedBytes == 0)
        }
    }

    @Test func aConnectionThatFails_isRecordedToo_withoutBytes() async throws {
        try await TemporaryFolder.run { folder in
            let refusing = UpstreamAddress.address(.ipv4(.loopback, port: 1))
            var settings = RelaySettings.to(refusing)
            settings.record = RecordSettings(directory: folder)
            try await RelayHarness.run([settings]) { relay in
                _ = try relay.connect()
                let record = try relay.end()
                #expect(record.end?.reason == .connectRefused)
                #expect((record.recordedBytes, record.droppedBytes) == (0, 0))
            }
            #expect(try size(of: folder) > 300)
        }
    }

    @Test func otherClients_areNotRecorded() async throws {
        let network = try #require(Network("192.0.2.0/24"))
        try await recorded(clients: [network]) { relay, listener, _ in
            let (client, upstream) = try relay.streamingPair(listener)
            client.close()
            upstream.close()
            let record = try relay.end()
            #expect(record.recordedBytes == nil && record.droppedBytes == nil)
            #expect(record.splicedUp > 0)
        }
    }

    @Test func aFraction_isRecorded() async throws {
        try await recorded(perMillion: 300_000) { relay, listener, _ in
            for round in 1...100 {
                let (client, upstream) = try relay.pair(listener)
                client.close()
                upstream.close()
                try relay.ended(round)
            }
            let recorded = try relay.ended(100).count { $0.recordedBytes != nil }
            // Connection IDs are consecutive, so the result is always the same.
            #expect((15...45).contains(recorded), "\(recorded) of 100")
        }
    }

    // MARK: While it runs

    @Test func startedAndStopped_whileAFlowSplices_countsFromThere_andCutsNothing() async throws {
        try await TemporaryFolder.run { folder in
            try await RelayHarness.run { relay, listener in
                let (client, upstream) = try relay.streamingPair(listener)
                let before = try await relay.live()
                #expect(before.splicedDown > 0)
                #expect(before.recordedBytes == nil)

                let settings = RecordSettings(directory: folder, whenFull: .block)
                let state = try relay.service.startRecording("relay", settings)
                #expect(state.isRecording)
                #expect(state.file?.hasPrefix(folder + "/relay.") == true)
                // Starting again has no effect.
                #expect(try relay.service.startRecording("relay", settings).file == state.file)
                try await relay.live("recorded") { $0.recordedBytes != nil }
                try client.send(upBytes, stream..<stream + message)
                try upstream.receive(upBytes, stream..<stream + message)
                try await relay.live("its bytes are counted") { $0.recordedBytes == UInt64(message) }

                let stopped = try #require(await relay.service.stopRecording("relay"))
                #expect(!stopped.isRecording)
                #expect(stopped.recordedBytes == UInt64(message))
                try client.send(upBytes, stream + message..<2 * stream)
                try upstream.receive(upBytes, stream + message..<2 * stream)
                client.close()
                upstream.close()
                let record = try relay.end()
                #expect((record.bytesUp, record.bytesDown) == (UInt64(2 * stream), UInt64(stream)))
                #expect(record.recordedBytes == UInt64(message))
                #expect(record.droppedBytes == 0)
            }
        }
    }

    @Test func whatCannotBeStarted_saysWhy() async throws {
        try await RelayHarness.run { relay, _ in
            #expect(throws: RelayService.RecordingRefusal.unknownRelay) { try relay.service.startRecording("no") }
            #expect(throws: RelayService.RecordingRefusal.noSettings) { try relay.service.startRecording("relay") }
            #expect(throws: RelayService.RecordingRefusal.unknownRelay) { try relay.service.liveTap(relay: "no") }
            #expect(await relay.service.stopRecording("no") == nil)
            let refusal = #expect(throws: RelayService.RecordingRefusal.self) {
                try relay.service.startRecording("relay", RecordSettings(directory: "/proc/no"))
            }
            guard case .system(let error) = refusal else {
                Issue.record("\(String(describing: refusal))")
                return
            }
            #expect(error.description.hasPrefix("cannot create the directory /proc/no"))
        }
    }

    @Test func anotherConfiguration_closesNothing_andWhatIsOpenStaysWhereItBegan() async throws {
        try await TemporaryFolder.run { folder in
            try await RelayHarness.run { relay, listener in
                var settings = RelaySettings.to(.address(listener.address))
                settings.listen = [.address(try relay.listener())]
                func apply(_ record: RecordSettings?, _ generation: Int) throws {
                    settings.record = record
                    try relay.service.apply(
                        Configuration(workers: .exactly(1), relays: [settings]), generation: generation, drain: .zero)
                }
                let (first, firstUpstream) = try relay.pair(listener)
                try apply(RecordSettings(directory: folder + "/a"), 2)
                let (second, secondUpstream) = try relay.pair(listener)
                try apply(RecordSettings(directory: folder + "/b"), 3)
                let (third, thirdUpstream) = try relay.pair(listener)
                try apply(nil, 4)
                let (fourth, fourthUpstream) = try relay.pair(listener)
                let pairs = [
                    (first, firstUpstream), (second, secondUpstream), (third, thirdUpstream), (fourth, fourthUpstream),
                ]
                for (number, (client, upstream)) in pairs.enumerated() {
                    try client.send(upBytes, 0..<message)
                    try upstream.receive(upBytes, 0..<message)
                    client.close()
                    upstream.close()
                    try relay.ended(number + 1)
                }
                #expect(
                    try relay.ended(4).map(\.recordedBytes) == [nil, UInt64(message), UInt64(message), nil])
                #expect(try size(of: folder + "/a") > 500)
                #expect(try size(of: folder + "/b") > 500)
            }
        }
    }

    @Test func aFolderThatCannotBe_refusesTheConfiguration_whole() async throws {
        try await RelayHarness.run { relay, listener in
            var settings = RelaySettings.to(.address(listener.address))
            settings.record = RecordSettings(directory: "/proc/no/where")
            let error = #expect(throws: SystemError.self) {
                try relay.service.apply(
                    Configuration(workers: .exactly(1), relays: [settings]), generation: 2, drain: .zero)
            }
            #expect(error?.description.contains("/proc/no/where") == true)
            let (client, upstream) = try relay.pair(listener)
            client.close()
            upstream.close()
            #expect(try relay.end().generation == 1)
        }
    }

    // MARK: Live

    @Test func aLiveTap_joinsWhatIsOpen_andLetsItSpliceAfterwards() async throws {
        try await RelayHarness.run { relay, listener in
            let (client, upstream) = try relay.streamingPair(listener)
            let id = try await relay.live().id
            var seen = 0
            do {
                let tap = try relay.service.liveTap(connection: id)
                var pieces = tap.makeAsyncIterator()
                var position = stream
                while seen < 100_000 {
                    try client.send(upBytes, position..<position + 4096)
                    try upstream.receive(upBytes, position..<position + 4096)
                    position += 4096
                    guard let piece = await pieces.next() else { break }
                    seen += piece.count
                }
                // The rest of the stream continues the pattern.
                try client.send(upBytes, position..<position + message)
                try upstream.receive(upBytes, position..<position + message)
            }
            #expect(seen >= 100_000)
            try Deadline.poll("the reader's thread is gone") { ProcessStats.threads(named: "record-").isEmpty }
            let spliced = try await relay.live().splicedDown
            let sender = try Background("down") { try upstream.send(downBytes, stream..<2 * stream) }
            try client.receive(downBytes, stream..<2 * stream)
            try sender.value()
            try await relay.live("it splices again") { $0.splicedDown > spliced }
            client.close()
            upstream.close()
            let record = try relay.end()
            #expect(record.recordedBytes == nil, "a live tap is not a recording")
        }
    }

    @Test func aLiveTapOfOneConnection_endsWithIt() async throws {
        try await RelayHarness.run { relay, listener in
            let (client, upstream) = try relay.pair(listener)
            let tap = try relay.service.liveTap(connection: try await relay.live().id)
            client.close()
            upstream.close()
            try relay.ended()
            #expect(try await toTheEnd(tap) > 0)
        }
    }

    @Test func aLiveTapOfAConnectionThatIsGone_endsAtOnce() async throws {
        try await RelayHarness.run { relay, _ in
            let tap = try relay.service.liveTap(connection: 4711)
            #expect(try await toTheEnd(tap) > 0, "a capture without a packet is valid")
            try Deadline.poll("the reader's thread is gone") { ProcessStats.threads(named: "record-").isEmpty }
        }
    }

    @Test func aLiveReaderThatDoesNotRead_slowsNothing() async throws {
        try await RelayHarness.run { relay, listener in
            let tap = try relay.service.liveTap(relay: "relay")
            // More than the ring and the reader's queue hold.
            let (client, upstream) = try relay.streamingPair(listener, bytes: 4 * stream)
            client.close()
            upstream.close()
            let record = try relay.end()
            #expect((record.bytesUp, record.bytesDown) == (UInt64(4 * stream), UInt64(4 * stream)))
            withExtendedLifetime(tap) {}
        }
    }

    @Test func liveTaps_areBounded_andEndWithTheService() async throws {
        try await RelayHarness.run { relay, _ in
            var taps: [LiveTap] = []
            for _ in 0..<16 { taps.append(try relay.service.liveTap()) }
            #expect(throws: RelayService.RecordingRefusal.tooManyLive) { try relay.service.liveTap() }
            relay.service.stop()
            try relay.join()
            for tap in taps {
                for await _ in tap {}
            }
        }
    }

    // MARK: Support

    /// Reads a live tap to its end, which must come soon; returns the number of bytes.
    private func toTheEnd(_ tap: LiveTap) async throws -> Int {
        let end = Mutex<Int?>(nil)
        let reader = Task {
            var seen = 0
            for await piece in tap { seen += piece.count }
            end.withLock { $0 = seen }
        }
        defer { reader.cancel() }
        let deadline = Deadline()
        while end.withLock({ $0 == nil }) {
            guard !deadline.isOver else { throw TestFailure("deadline passed: the live tap ends") }
            // Yields in between: the reader needs a thread, and a small machine has few threads for all tests.
            Deadline.letPass(.milliseconds(2))
            await Task.yield()
        }
        return end.withLock { $0 } ?? 0
    }

    private func recorded(
        buffer: Int = RecordSettings.defaultBuffer, maxBytes: Int? = nil,
        whenFull: RecordSettings.WhenFull = .drop, clients: [Network] = [], perMillion: Int = 1_000_000,
        _ body: (RelayHarness, PeerListener, String) async throws -> Void
    ) async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let listener = try PeerListener()
                var relay = RelaySettings.to(.address(listener.address))
                relay.record = RecordSettings(
                    directory: folder, maxBytes: maxBytes, buffer: buffer, whenFull: whenFull, clients: clients,
                    perMillion: perMillion)
                try await RelayHarness.runAlone([relay]) { try await body($0, listener, folder) }
            }
        }
    }

    /// The total size of the files in a folder.
    private func size(of folder: String) throws -> UInt64 {
        try Directory(path: folder).files().reduce(0) { sum, name in
            var facts = stat()
            guard lstat(folder + "/" + name, &facts) == 0 else { throw TestFailure("\(name) is gone") }
            return sum + UInt64(facts.st_size)
        }
    }
}
