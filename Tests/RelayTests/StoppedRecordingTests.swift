import Configuration
import Glibc
import Relay
import Sockets
import TestSupport
import Testing

/// Recordings that are stopped and started while connections of several generations are open.
@Suite struct StoppedRecordingTests {
    private let message = 10_000

    /// A relay whose configuration changes, and one connection of its first generation.
    private struct Bench {
        let relay: RelayHarness
        let folder: String
        let client: Peer
        let upstream: Peer
        let message: Int
        var settings: RelaySettings
        var generation = 1
        var sent = 0

        mutating func apply(_ record: RecordSettings?, name: String? = nil) throws {
            settings.record = record
            settings.name = name ?? settings.name
            generation += 1
            try relay.service.apply(
                Configuration(workers: .exactly(1), relays: [settings]), generation: generation, drain: .zero)
        }

        mutating func exchange() throws {
            try client.send(upBytes, sent..<sent + message)
            try upstream.receive(upBytes, sent..<sent + message)
            sent += message
        }

        /// The sizes of the files in a folder.
        func size(_ name: String) throws -> UInt64 {
            let path = "\(folder)/\(name)"
            guard access(path, F_OK) == 0 else { return 0 }
            return try Directory(path: path).files().reduce(0) { sum, name in
                var facts = stat()
                guard lstat(path + "/" + name, &facts) == 0 else { throw TestFailure("\(name) is gone") }
                return sum + UInt64(facts.st_size)
            }
        }

        func end() throws -> ConnectionRecord {
            client.close()
            upstream.close()
            return try relay.end(of: client)
        }
    }

    private func run(_ first: String?, _ body: (inout Bench) async throws -> Void) async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let listener = try PeerListener()
                var settings = RelaySettings.to(.address(listener.address))
                settings.record = first.map { RecordSettings(directory: "\(folder)/\($0)") }
                try await RelayHarness.runAlone([settings]) { relay in
                    settings.listen = [.address(try relay.listener())]
                    // The first generation's configuration again, with its address.
                    let (client, upstream) = try relay.pair(listener)
                    var bench = Bench(
                        relay: relay, folder: folder, client: client, upstream: upstream, message: message,
                        settings: settings)
                    try await body(&bench)
                }
            }
        }
    }

    /// As the process that takes over gets it: no byte is recorded, until the settings change or a person starts it.
    @Test func recording_thatWasStoppedInTheOlderProcess_doesNotStart() async throws {
        try await TemporaryFolder.run { folder in
            try await Exclusive.run {
                let listener = try PeerListener()
                var settings = RelaySettings.to(.address(listener.address))
                let record = RecordSettings(directory: "\(folder)/a")
                settings.record = record
                var tuning = RelayService.Tuning()
                for (stopped, isRecording) in [(record, false), (RecordSettings(directory: "\(folder)/b"), true)] {
                    tuning.stoppedRecordings = ["relay": stopped]
                    try await RelayHarness.runAlone([settings], tuning: tuning) { relay in
                        #expect(relay.service.recordings["relay"]?.isRecording == isRecording)
                        #expect(relay.service.recordingsStoppedAtRunTime == (isRecording ? [:] : ["relay": record]))
                        guard !isRecording else { return }
                        #expect(access("\(folder)/a", F_OK) != 0)
                        // A recording with other settings replaces it, for the next process, too.
                        let other = RecordSettings(directory: "\(folder)/c")
                        _ = try relay.service.startRecording("relay", other)
                        #expect(relay.service.recordingsStartedAtRunTime == ["relay": other])
                        #expect(relay.service.recordingsStoppedAtRunTime == ["relay": record])
                        _ = await relay.service.stopRecording("relay")
                        _ = try relay.service.startRecording("relay")
                        #expect(relay.service.recordingsStoppedAtRunTime == [:])
                        #expect(relay.service.recordingsStartedAtRunTime == [:])
                    }
                }
            }
        }
    }

    @Test func stopAfterAReload_endsEveryGeneration_andAStartRecordsEachByteOnce() async throws {
        try await run("a") { bench in
            try bench.exchange()
            try bench.apply(RecordSettings(directory: "\(bench.folder)/b"))
            try bench.exchange()

            let stopped = await bench.relay.service.stopRecording("relay")
            #expect(stopped?.isRecording == false)
            let (a, b) = (try bench.size("a"), try bench.size("b"))
            #expect(a > 2 * UInt64(message))
            try bench.exchange()
            #expect(try await bench.relay.live().recordedBytes == 2 * UInt64(message))
            // The files are closed, so nothing more can be written to them.
            try Deadline.poll("the recorders end") { ProcessStats.threads(named: "record-").isEmpty }
            #expect(try bench.size("a") == a && bench.size("b") == b)

            _ = try bench.relay.service.startRecording("relay", RecordSettings(directory: "\(bench.folder)/c"))
            try bench.exchange()
            let record = try bench.end()
            #expect(record.bytesUp == 4 * UInt64(message))
            #expect(record.recordedBytes == 3 * UInt64(message) && record.droppedBytes == 0)
            #expect(try bench.size("a") == a && bench.size("b") == b)
            #expect(try bench.size("c") > UInt64(message))
        }
    }

    @Test func startWhileAnEarlierConfigurationRecords_takesTheConnectionOver() async throws {
        try await run("a") { bench in
            try bench.exchange()
            try bench.apply(nil)
            _ = try bench.relay.service.startRecording("relay", RecordSettings(directory: "\(bench.folder)/b"))
            // The connection was the last one of the first recorder, so its file is closed.
            try Deadline.poll("one recorder") { ProcessStats.threads(named: "record-").count == 1 }
            let a = try bench.size("a")
            try bench.exchange()
            let record = try bench.end()
            #expect(record.recordedBytes == 2 * UInt64(message) && record.droppedBytes == 0)
            #expect(try bench.size("a") == a)
            #expect(try bench.size("b") > UInt64(message))
            // The relay's counter also has each byte once.
            #expect(bench.relay.service.recordings["relay"]?.recordedBytes == 2 * UInt64(message))
        }
    }

    @Test func stopWithoutARecorderInForce_endsTheEarlierOnes() async throws {
        try await run("a") { bench in
            try bench.exchange()
            try bench.apply(nil)
            _ = await bench.relay.service.stopRecording("relay")
            try Deadline.poll("the recorders end") { ProcessStats.threads(named: "record-").isEmpty }
            try bench.exchange()
            let record = try bench.end()
            #expect(record.recordedBytes == UInt64(message) && record.droppedBytes == 0)
        }
    }

    @Test func renamedRelay_isStoppedAndStartedByItsNewName() async throws {
        try await run("a") { bench in
            // From here on its address is no longer that of a free port.
            try bench.apply(RecordSettings(directory: "\(bench.folder)/a"))
            try bench.exchange()
            try bench.apply(RecordSettings(directory: "\(bench.folder)/a"), name: "renamed")
            #expect(bench.relay.service.recordings["renamed"]?.isRecording == true)
            try bench.exchange()
            _ = await bench.relay.service.stopRecording("renamed")
            try Deadline.poll("the recorders end") { ProcessStats.threads(named: "record-").isEmpty }
            try bench.exchange()
            #expect(try await bench.relay.live().recordedBytes == 2 * UInt64(message))

            // It stays stopped under a third name, and starts with the connection of the first one.
            try bench.apply(RecordSettings(directory: "\(bench.folder)/a"), name: "again")
            #expect(bench.relay.service.recordings["again"]?.isRecording == false)
            try bench.exchange()
            _ = try bench.relay.service.startRecording("again")
            try bench.exchange()
            let record = try bench.end()
            #expect(record.relay == "relay" && record.recordedBytes == 3 * UInt64(message))
        }
    }

    @Test func rejectedReload_leavesNoRecordingBehind() async throws {
        try await run(nil) { bench in
            let taken = try PeerListener()
            bench.settings.listen.append(.address(taken.address))
            let error = #expect(throws: SystemError.self) {
                try bench.apply(RecordSettings(directory: "\(bench.folder)/b"))
            }
            #expect(error?.errno.code == EADDRINUSE)
            try Deadline.poll("the recorder has ended") { ProcessStats.threads(named: "record-").isEmpty }
            #expect(try Directory(path: "\(bench.folder)/b").files() == [])
            try bench.exchange()
            #expect(try bench.end().recordedBytes == nil)
        }
    }
}
