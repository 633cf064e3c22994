import Foundation

/// The contents of a recording, read by `Peers/recording.py`, which uses neither Tapline's code nor Wireshark.
struct RecordingFacts: Decodable {
    /// The bytes of one flow that are present, and the number missing by the sequence numbers.
    struct Flow: Decodable, Equatable {
        var count: UInt64
        var missing: UInt64
        var sha256: String
    }

    struct Conversation: Decodable {
        var id: UInt64
        var client: String
        var server: String
        /// The name of the first packet's interface.
        var interface: String
        var up: Flow
        var down: Flow
        /// The number of FINs, and whether there is an RST.
        var ends: Int
        var isReset: Bool
        /// The bytes that comments report as gaps.
        var gaps: UInt64
        /// The comment at the end, if any.
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
        /// The number of Decryption Secrets Blocks.
        var secrets: Int
        /// Whether the file ends in the middle of a block.
        var cut: Bool
        /// Why it is not a valid pcapng file.
        var trouble: String?
        var application: String?
        var names: [String]
    }

    var conversations: [Conversation]
    var files: [File]

    /// The faults of files that should be complete, with consistent blocks and packets.
    var troubles: [String] {
        files.filter(\.cut).map { "\($0.path) is cut" } + files.compactMap(\.trouble)
            + conversations.compactMap(\.trouble)
    }

    /// The present bytes of all conversations.
    var recorded: UInt64 { conversations.reduce(0) { $0 + $1.up.count + $1.down.count } }
    /// The bytes missing by the sequence numbers.
    var missing: UInt64 { conversations.reduce(0) { $0 + $1.up.missing + $1.down.missing } }
}

/// One stream of a recording as Wireshark reassembles it.
struct FollowedStream: Decodable {
    var status: Int
    /// The flow of the side that sent first, and the other one.
    var first: RecordingFacts.Flow
    var second: RecordingFacts.Flow
}

extension Scene {
    /// Reads files as one recording.
    func facts(of paths: [String], within limit: Duration = .seconds(90)) async throws -> RecordingFacts {
        try decode(try await run(Self.peer("recording.py") + ["read"] + paths, within: limit))
    }

    /// Follows a stream with Wireshark.
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
