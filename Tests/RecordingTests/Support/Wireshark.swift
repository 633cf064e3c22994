import Glibc
import Subprocess
import TestSupport
import Testing

/// Runs tshark and capinfos on a recording.
enum Wireshark {
    /// The checks of every run.
    private static let checks = [
        "-n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-o",
        "tcp.relative_sequence_numbers:TRUE",
    ]

    /// Runs a body on a file with these bytes.
    static func onFile<Result>(_ bytes: [UInt8], _ body: (String) async throws -> Result) async throws -> Result {
        try await TemporaryFolder.run { folder in
            let path = "\(folder)/recording.pcapng"
            let file = try #require(fopen(path, "wb"))
            let written = fwrite(bytes, 1, bytes.count, file)
            #expect(written == bytes.count)
            #expect(fclose(file) == 0)
            return try await body(path)
        }
    }

    /// The output lines of a program, whose exit status must be 0.
    static func lines(_ program: String, _ arguments: [String]) async throws -> [String] {
        let result = try await Subprocess.run(
            .name(program), arguments: Arguments(arguments), output: .string(limit: 64 << 20),
            error: .string(limit: 1 << 20))
        #expect(result.terminationStatus.isSuccess, "\(program) \(arguments): \(result.standardError)")
        return result.standardOutput.split(separator: "\n").map(String.init)
    }

    /// The fields of every packet that matches a filter.
    static func fields(_ path: String, _ names: [String], filter: String? = nil) async throws -> [[String]] {
        let arguments =
            checks + ["-r", path, "-T", "fields"] + names.flatMap { ["-e", $0] } + (filter.map { ["-Y", $0] } ?? [])
        return try await lines("tshark", arguments).map {
            $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
    }

    /// The bytes of both flows of a stream, by `follow,tcp,raw`.
    static func follow(_ path: String, stream: Int = 0) async throws -> (up: [UInt8], down: [UInt8]) {
        let lines = try await lines("tshark", checks + ["-r", path, "-q", "-z", "follow,tcp,raw,\(stream)"])
        var (up, down): ([UInt8], [UInt8]) = ([], [])
        for line in lines {
            let isDown = line.hasPrefix("\t")
            let text = Array(isDown ? line.utf8.dropFirst() : line.utf8[...])
            guard !text.isEmpty, text.allSatisfy({ Self.digit($0) != nil }) else { continue }
            let bytes = stride(from: 0, to: text.count, by: 2).map { offset in
                (Self.digit(text[offset]) ?? 0) << 4 | (Self.digit(text[offset + 1]) ?? 0)
            }
            if isDown { down += bytes } else { up += bytes }
        }
        return (up, down)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    /// The packets that Wireshark reports: malformed ones, wrong checksums, marks of the TCP analysis.
    static func faults(_ path: String) async throws -> [[String]] {
        try await fields(
            path, ["frame.number", "_ws.expert.message"],
            filter: "_ws.malformed or tcp.analysis.flags or tcp.checksum.status == 0 or ip.checksum.status == 0"
                + " or tcp.checksum.status == 2")
    }

    /// The completeness of every stream. In two passes, because a reset does not yet count at its own packet.
    static func completeness(_ path: String) async throws -> [String: Int] {
        var values: [String: Int] = [:]
        let fields = ["-T", "fields", "-e", "tcp.stream", "-e", "tcp.completeness"]
        for line in try await lines("tshark", ["-2"] + checks + ["-r", path] + fields) {
            let words = line.split(separator: "\t")
            values[String(words[0])] = Int(words[1])
        }
        return values
    }
}
