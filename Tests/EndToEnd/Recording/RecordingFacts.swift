import Foundation

/// What is in a recording, read by `Peers/recording.py`: without Tapline's code, and without Wireshark's.
struct RecordingFacts: Decodable {
    /// One flow's bytes that are there, and how many the sequence numbers say are not.
    struct Flow: Decodable, Equatable {
        var count: UInt64
        var missing: UInt64
        var sha256: String
    }

    struct Conversation: Decodable {
        var id: UInt64
        var client: String
        var server: String
        var up: Flow
        var down: Flow
        /// How many FINs there are, and whether there is an RST.
        var ends: Int
        var isReset: Bool
        /// Bytes that comments of gaps count.
        var gaps: UInt64
        /// What the comment of the end says, where there is one.
        var recorded: UInt64
        var dropped: UInt64
        var reason: String?
        /// Sequence numbers that go back.
        var trouble: String?
        /// The time of the last packet, seconds since 1970.
        var last: Double
        /// The first few.
        var comments: [String]
    }

    struct File: Decodable {
        struct Statistics: Decodable {
            var received: UInt64?
            var dropped: UInt64?
        }

        var path: String
        var size: Int
        var packets: Int
        /// The sum of all `epb_dropcount`.
        var droppedSegments: UInt64
        var interfaces: [String]
        var sections: Int
        var statistics: [Statistics]
        /// The file ends in the middle of a block.
        var cut: Bool
        /// What makes it no pcapng file.
        var trouble: String?
        var application: String?
        var names: [String]
    }

    var conversations: [Conversation]
    var files: [File]

    /// What is wrong with files that should be whole, and with blocks and packets that should fit together.
    var troubles: [String] {
        files.filter(\.cut).map { "\($0.path) is cut" } + files.compactMap(\.trouble)
            + conversations.compactMap(\.trouble)
    }

    /// The bytes that are there, of all conversations.
    var recorded: UInt64 { conversations.reduce(0) { $0 + $1.up.count + $1.down.count } }
    /// The bytes that the sequence numbers leave out.
    var missing: UInt64 { conversations.reduce(0) { $0 + $1.up.missing + $1.down.missing } }
}

/// One stream of a recording as Wireshark puts it together.
struct FollowedStream: Decodable {
    var status: Int
    /// The flow of whoever spoke first, and the other one.
    var first: RecordingFacts.Flow
    var second: RecordingFacts.Flow
}

extension Scene {
    /// Reads files as one recording.
    func facts(of paths: [String], within limit: Duration = .seconds(90)) async throws -> RecordingFacts {
        try decode(try await run(Self.peer("recording.py") + ["read"] + paths, within: limit))
    }

    /// Has Wireshark follow a stream.
    func follow(_ path: String, stream: Int = 0, options: [String] = []) async throws -> FollowedStream {
        try decode(try await run(Self.peer("recording.py") + ["follow", path, "\(stream)"] + options))
    }

    private func decode<Facts: Decodable>(_ line: String) throws -> Facts {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Facts.self, from: Data(line.utf8))
    }

    /// The recordings in a folder, in the order of their names.
    func recordings(in folder: String, of relay: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder)
            .filter { $0.hasPrefix(relay) && $0.hasSuffix(".pcapng") }.sorted().map { "\(folder)/\($0)" }
    }
}
