import Foundation
import Testing

/// A Tapline with two relays to one upstream: `taped` records to a faulty disk, and `plain` must not be affected.
struct DiskBench {
    let scene: Scene
    let disk: Disk
    let puppet: Puppet
    let tapline: TaplineProcess
    private let plainAddress: String
    /// The folder of the recordings, as seen by all processes.
    var folder: String { "\(disk.outside)/recordings" }

    /// Starts it, and opens the plain connection. `record` are further recording settings, such as `, when_full:
    /// block`; `more` is further configuration.
    init(
        _ scene: Scene, _ disk: Disk, record: String = "", more: String = "shutdown: { drain: 1s }",
        timeouts: String = "{}", before: [String] = []
    ) async throws {
        self.scene = scene
        self.disk = disk
        puppet = try scene.puppet()
        let upstream = try await puppet.listen("upstream")
        tapline = try await scene.run(
            relays: """
                  - name: taped
                    listen: 127.0.0.1:0
                    upstream: \(upstream)
                    timeouts: \(timeouts)
                    record: { directory: \(disk.folder)/recordings\(record) }
                  - name: plain
                    listen: 127.0.0.1:0
                    upstream: \(upstream)
                """, more: more, listeners: 2, before: disk.before + before)
        plainAddress = tapline.listeners[1]
        try await puppet.connect("plain", to: plainAddress)
        try await puppet.accept("plain'", from: "upstream")
    }

    /// Opens a recorded connection: the client's end is `name`, the upstream's `name'`.
    func open(_ name: String) async throws {
        try await puppet.connect(name, to: tapline.listeners[0])
        try await puppet.accept(name + "'", from: "upstream")
    }

    /// The plain connection and its relay continue: bytes in both directions, and a new connection.
    func expectPlainUnharmed() async throws {
        try await puppet.pass(50_000, from: "plain", to: "plain'")
        try await puppet.pass(50_000, from: "plain'", to: "plain")
        try await puppet.connect("new", to: plainAddress)
        try await puppet.accept("new'", from: "upstream")
        try await puppet.pass(1000, from: "new", to: "new'")
        for side in ["new", "new'"] { try await puppet.finish(side) }
        for side in ["new", "new'"] { try await puppet.receiveToEnd(side) }
    }

    /// Ends a recorded connection and returns its record. The records of earlier connections must be there.
    func end(_ name: String) async throws -> EndRecord {
        let before = try tapline.recordsSoFar.count { $0.relay == "taped" }
        for side in [name, name + "'"] { try await puppet.finish(side) }
        for side in [name, name + "'"] {
            guard try await puppet.receiveToEnd(side).end == "fin" else { throw Failure("\(side) was cut") }
        }
        let lines = try await tapline.program.output.first(before + 1) {
            EndRecord.isRecord($0) && $0.contains("\"relay\":\"taped\"")
        }
        return try EndRecord(json: lines[before])
    }

    /// The dropped bytes according to log lines with these words.
    func logged(_ words: String) throws -> UInt64 {
        try tapline.program.errors.all.filter { $0.contains(words) }.reduce(0) { sum, line in
            let fields = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return sum + (fields?["dropped_bytes"] as? UInt64 ?? 0)
        }
    }

    /// The files, read as one recording.
    func facts() async throws -> RecordingFacts {
        try await scene.facts(of: try scene.recordings(in: folder, of: "taped."))
    }
}

extension EndRecord {
    /// Whether every byte is accounted for.
    var isBalanced: Bool { (recordedBytes ?? 0) + (droppedBytes ?? 0) == bytesUp + bytesDown }
}
