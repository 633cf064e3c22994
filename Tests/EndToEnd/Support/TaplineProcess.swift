import Foundation

/// A Tapline that relays.
struct TaplineProcess: Sendable {
    let program: Program
    let pid: pid_t
    /// Its listeners, as it announced them.
    let listeners: [String]
    /// Whether its end records go to standard error, because standard output is used for something else.
    var recordsAreErrors = false

    /// The first listener.
    var address: String { listeners[0] }
    /// The first listener's port.
    var port: Int { Int(address.split(separator: ":").last ?? "") ?? 0 }

    /// The binary under test: the debug build of the tests, or `TAPLINE_BINARY`.
    static let binary: String = {
        if let other = ProcessInfo.processInfo.environment["TAPLINE_BINARY"], !other.isEmpty {
            return URL(fileURLWithPath: other).path
        }
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("tapline").path
    }()

    private var recordLines: Lines { recordsAreErrors ? program.errors : program.output }

    /// The first `count` end records, in the order in which the connections were accepted; waits for them. Workers
    /// print their records in any order.
    func records(_ count: Int = 1, within limit: Duration = .seconds(60)) async throws -> [EndRecord] {
        try await recordLines.first(count, within: limit, where: EndRecord.isRecord).map(EndRecord.init(json:))
            .sorted { $0.id < $1.id }
    }

    /// Every end record so far, in the order in which they were printed.
    var recordsSoFar: [EndRecord] {
        get throws { try recordLines.all.filter(EndRecord.isRecord).map(EndRecord.init(json:)) }
    }

    /// Stops it in order and returns every end record, in the order of `records`; the exit status must be 0.
    @discardableResult
    func stop() async throws -> [EndRecord] {
        try await program.send(SIGTERM)
        let status = try await program.exit()
        guard status == .exited(0) else {
            throw Failure("\(program.name): \(status)\n\(program.errors.all.suffix(12).joined(separator: "\n"))")
        }
        return try recordsSoFar.sorted { $0.id < $1.id }
    }
}

extension Scene {
    /// Starts `tapline forward` with JSON lines, and waits until it has announced its listeners. `before` are words
    /// before its own, such as `prlimit` or the way into another network namespace.
    func forward(
        _ specs: String..., options: [String] = [], listeners: Int? = nil, before: [String] = [],
        binary: String = TaplineProcess.binary
    ) async throws -> TaplineProcess {
        try await tapline(
            before + [binary, "forward", "--log-format", "json"] + options + specs,
            listeners: listeners ?? specs.count)
    }

    /// Starts `tapline run` with a configuration of JSON lines: `relays` is the YAML from that key on.
    func run(
        relays: String, more: String = "", listeners: Int = 1, before: [String] = []
    ) async throws -> TaplineProcess {
        let path = try file("tapline.yaml", "log: { format: json }\n\(more)\nrelays:\n\(relays)\n")
        return try await tapline(before + [TaplineProcess.binary, "run", "--config", path], listeners: listeners)
    }

    private func tapline(_ words: [String], listeners: Int) async throws -> TaplineProcess {
        let program = try start(words)
        let lines = try await program.errors.first(listeners, within: .seconds(60)) { $0.contains(" listens on ") }
        let addresses = try lines.map { try JSONDecoder().decode(Announcement.self, from: Data($0.utf8)).listener }
        return TaplineProcess(
            program: program, pid: try await program.pid(), listeners: addresses,
            recordsAreErrors: words.contains("--record") || words.contains("--print"))
    }
}

/// The log line that announces a listener.
private struct Announcement: Decodable {
    var listener: String
}
