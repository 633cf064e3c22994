import Configuration
import Relay
import Sockets
import TestSupport
import Testing

@testable import Recorder

/// Recordings and live taps that begin and end while other things change.
@Suite struct RecordingChangeTests {
    private let message = 10_000

    /// A live tap has its own count of lost bytes.
    @Test func readersThatGo_changeNoRecord() async throws {
        try await TemporaryFolder.run { folder in
            try await recorded(RecordSettings(directory: folder, maxBytes: 1)) { relay, listener in
                var ended = 0
                for _ in 1...5 {
                    var tap: LiveTap? = try relay.service.liveTap()
                    // More than the reader's queue: the rest is still in the ring when the reader leaves.
                    var pairs = [try relay.streamingPair(listener, bytes: 4 << 20)]
                    for _ in 1...40 {
                        let (client, upstream) = try relay.pair(listener)
                        try client.send(upBytes, 0..<message)
                        try upstream.receive(upBytes, 0..<message)
                        pairs.append((client, upstream))
                    }
                    for (number, (client, upstream)) in pairs.enumerated() {
                        client.close()
                        upstream.close()
                        if number == 1 { tap = nil }
                    }
                    _ = tap
                    ended += pairs.count
                    for record in try relay.ended(ended) {
                        #expect(record.recordedBytes == (record.bytesDown > 0 ? 2 : 1) && record.droppedBytes == 0)
                    }
                }
            }
        }
    }

    /// Whatever comes first, the reported state of the recording is correct afterwards.
    @Test func startsAndStops_whileConfigurationsCome_areAllHeeded() async throws {
        try await TemporaryFolder.run { folder in
            let settings = RecordSettings(directory: folder, buffer: 64 << 10, whenFull: .block)
            try await recorded(settings) { relay, listener in
                let address = try relay.listener()
                for round in 1...40 {
                    var changed = RelaySettings.to(.address(listener.address))
                    changed.listen = [.address(address)]
                    changed.record = settings
                    changed.maxConnections = 1000 + round
                    let configuration = Configuration(workers: .exactly(1), relays: [changed])
                    let service = relay.service
                    let reload = try Background("reload") {
                        try service.apply(configuration, generation: round + 1, drain: .zero)
                    }
                    let isStart = round % 2 == 0
                    if isStart {
                        _ = try service.startRecording("relay")
                    } else {
                        _ = await service.stopRecording("relay")
                    }
                    try reload.value()
                    #expect(service.recordings["relay"]?.isRecording == isStart, "round \(round)")
                    let (client, upstream) = try relay.pair(listener)
                    try client.send(upBytes, 0..<message)
                    try upstream.receive(upBytes, 0..<message)
                    client.close()
                    upstream.close()
                    let record = try relay.ended(round)[round - 1]
                    #expect(record.recordedBytes == (isStart ? UInt64(message) : nil), "round \(round)")
                }
            }
        }
    }

    @Test func startedAndStoppedOften_keepsNothing() async throws {
        try await TemporaryFolder.run { folder in
            try await recorded(nil) { relay, listener in
                let (client, upstream) = try relay.pair(listener)
                let stream = 2 << 20
                var before = 0
                for round in 0..<24 {
                    _ = try relay.service.startRecording("relay", RecordSettings(directory: folder))
                    try await relay.live("recorded") { $0.recordedBytes != nil }
                    let sender = try Background("up") {
                        try client.send(upBytes, round * stream..<(round + 1) * stream)
                    }
                    try upstream.receive(upBytes, round * stream..<(round + 1) * stream)
                    try sender.value()
                    _ = await relay.service.stopRecording("relay")
                    if round == 3 { before = try ProcessStats.privateMemory() }
                }
                let growth = try ProcessStats.privateMemory() - before
                // Twenty rings that were filled with up to 2 MiB.
                #expect(growth < 16 << 20 || ProcessStats.isSanitized, "\(growth >> 10) KiB")
                client.close()
                upstream.close()
                let record = try relay.end()
                #expect((record.recordedBytes ?? 0) + (record.droppedBytes ?? 0) == UInt64(24 * stream))
            }
        }
    }

    /// They wait for their last connection without polling.
    @Test func recordersThatAreNotWantedAnyMore_rest() async throws {
        try await TemporaryFolder.run { folder in
            try await recorded(RecordSettings(directory: folder + "/0")) { relay, listener in
                let address = try relay.listener()
                var pairs = [try relay.pair(listener)]
                for round in 1...10 {
                    var changed = RelaySettings.to(.address(listener.address))
                    changed.listen = [.address(address)]
                    changed.record = RecordSettings(directory: folder + "/\(round)")
                    try relay.service.apply(
                        Configuration(workers: .exactly(1), relays: [changed]), generation: round + 1, drain: .zero)
                    pairs.append(try relay.pair(listener))
                }
                try Deadline.poll("eleven recorders") { ProcessStats.threads(named: "record-").count == 11 }
                try Deadline.poll("they sleep") { ProcessStats.busyShare(ofThreads: "record-") < 0.005 }
                for (client, upstream) in pairs {
                    client.close()
                    upstream.close()
                }
                try relay.ended(pairs.count)
                try Deadline.poll("they end") { ProcessStats.threads(named: "record-").count == 1 }
            }
        }
    }

    // MARK: Support

    private func recorded(
        _ settings: RecordSettings?, _ body: (RelayHarness, PeerListener) async throws -> Void
    ) async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            var relay = RelaySettings.to(.address(listener.address))
            relay.record = settings
            try await RelayHarness.runAlone([relay]) { try await body($0, listener) }
        }
    }
}
