import Configuration
import EventLoop
import Sockets
import TestSupport
import Testing

@testable import Relay

/// A recording follows a relay, not a name.
@Suite struct RecordedIdentityTests {
    private let message = 10_000

    /// The relay has its new name before the worker has the configuration with it.
    @Test func connectionAcceptedWhileItsRelayIsRenamed_isRecorded() async throws {
        try await TemporaryFolder.run { folder in
            try await LoopHarness.run { harness in
                let listener = try PeerListener()
                let port = try #require(listener.address.port)
                try OneWorker.run(port: port, harness) { worker in
                    let registry = worker.shared.recordings
                    let recorder = try registry.makeRecorder(of: "relay", RecordSettings(directory: folder))
                    worker.post(.record(worker.identity, recorder))
                    try worker.turn(until: "the recorder is known") { !worker.worker.taps.isEmpty }
                    worker.identity.rename(to: "renamed")
                    let client = try worker.clients(1)[0]
                    try worker.lookup(1).answer(.success([.ipv4(.loopback, port: 0)]))
                    let upstream = try worker.accept(listener)
                    #expect(try worker.live().record.recordedBytes == 0)
                    let record = try worker.finish(client, upstream)
                    #expect(record.recordedBytes == 0)
                    registry.finish(within: 30_000)
                }
            }
        }
    }

    @Test func recordingOfANewRelay_isNotThatOfARemovedOneWithItsName() async throws {
        try await TemporaryFolder.run { folder in
            try await run(RecordSettings(directory: folder + "/removed")) { relay, listener, settings in
                let service = relay.service
                let (client, upstream) = try relay.pair(listener)
                try service.apply(Self.configuration(settings), generation: 2, drain: .zero)
                var other = RelaySettings.to(.address(listener.address))
                other.name = "other"
                try service.apply(Self.configuration(other), generation: 3, drain: .seconds(600))
                let new = RelaySettings.to(.address(listener.address))
                #expect(new.name == settings.name)
                try service.apply(Self.configuration(other, new), generation: 4, drain: .seconds(600))

                _ = try service.startRecording(new.name, RecordSettings(directory: folder + "/new"))
                try client.send(upBytes, 0..<message)
                try upstream.receive(upBytes, 0..<message)
                let stopped = await service.stopRecording(new.name)
                #expect(stopped?.isRecording == false)
                try client.send(upBytes, message..<2 * message)
                try upstream.receive(upBytes, message..<2 * message)
                client.close()
                upstream.close()
                let record = try relay.end(of: client)
                #expect(record.recordedBytes == UInt64(2 * message) && record.droppedBytes == 0)
            }
        }
    }

    @Test func stopWhileAReloadRenamesTheRelay_isHeeded() async throws {
        try await TemporaryFolder.run { folder in
            let record = RecordSettings(directory: folder + "/a")
            try await run(record) { relay, listener, settings in
                let service = relay.service
                let change = try Self.prepareRename(service, settings)
                _ = await service.stopRecording("relay")
                service.commit(change, generation: 3, drain: .zero)
                #expect(service.recordings["renamed"]?.isRecording == false)
                try Deadline.poll("the recorders end") { ProcessStats.threads(named: "record-").isEmpty }
                // The file that was created for the new name is removed.
                #expect(try Directory(path: folder + "/a").files().allSatisfy { !$0.contains("renamed") })
                #expect(try exchange(relay, listener).recordedBytes == nil)
                // The configured settings have the new name.
                _ = try service.startRecording("renamed", nil)
                #expect(try exchange(relay, listener).recordedBytes == UInt64(message))
                #expect(try Directory(path: folder + "/a").files().contains { $0.contains("renamed") })
            }
        }
    }

    @Test func startWhileAReloadRenamesTheRelay_isHeeded() async throws {
        try await TemporaryFolder.run { folder in
            try await run(RecordSettings(directory: folder + "/a")) { relay, listener, settings in
                let service = relay.service
                _ = await service.stopRecording("relay")
                let change = try Self.prepareRename(service, settings)
                _ = try service.startRecording("relay", RecordSettings(directory: folder + "/b"))
                service.commit(change, generation: 3, drain: .zero)
                let state = try #require(service.recordings["renamed"])
                #expect(state.isRecording && state.since != nil)
                #expect(try exchange(relay, listener).recordedBytes == UInt64(message))
                // It can also be stopped by the new name.
                let stopped = await service.stopRecording("renamed")
                #expect(stopped?.isRecording == false)
                try Deadline.poll("the recorders end") { ProcessStats.threads(named: "record-").isEmpty }
            }
        }
    }

    // MARK: Support

    private static func configuration(_ relays: RelaySettings...) -> Configuration {
        Configuration(workers: .exactly(1), relays: relays)
    }

    /// A prepared reload that renames the relay.
    private static func prepareRename(
        _ service: RelayService, _ settings: RelaySettings
    ) throws -> RelayService.Change {
        // With its port, which is no longer a free port, so that the change counts as a rename.
        try service.apply(configuration(settings), generation: 2, drain: .zero)
        var renamed = settings
        renamed.name = "renamed"
        let next = configuration(renamed)
        return try service.prepare(next, ConfigurationDifference(from: service.configuration, to: next))
    }

    /// One connection to the renamed relay that sends a message upwards; its record.
    private func exchange(_ relay: RelayHarness, _ listener: PeerListener) throws -> ConnectionRecord {
        let client = try Peer.connect(to: relay.listener("renamed"))
        let upstream = try listener.accept()
        try client.send(upBytes, 0..<message)
        try upstream.receive(upBytes, 0..<message)
        client.close()
        upstream.close()
        return try relay.end(of: client)
    }

    /// A recorded relay, and its settings with the address on which it listens.
    private func run(
        _ record: RecordSettings, _ body: (RelayHarness, PeerListener, RelaySettings) async throws -> Void
    ) async throws {
        try await Exclusive.run {
            let listener = try PeerListener()
            var settings = RelaySettings.to(.address(listener.address))
            settings.record = record
            try await RelayHarness.runAlone([settings]) { relay in
                settings.listen = [.address(try relay.listener())]
                try await body(relay, listener, settings)
            }
        }
    }
}
