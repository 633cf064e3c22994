import Foundation
import Testing

/// A Tapline with one relay, `faulty`, and the admin API on a Unix socket, between two ends of one puppet; for faults
/// that are checked by SUM, FLAT and IDLE of `FAULTS.md`.
struct FaultBench {
    let scene: Scene
    let puppet: Puppet
    let tapline: TaplineProcess
    let admin: AdminClient
    /// Its resources after the first conversation, which includes all one-time allocations.
    let footing: Footing
    /// The number of connections up to then.
    private static let warmedBy = 2

    /// Starts it. `settings` are further settings of the relay, such as `timeouts: { idle: 1s }`; `more` is further
    /// configuration.
    init(_ scene: Scene, settings: String = "", more: String = "", before: [String] = []) async throws {
        self.scene = scene
        puppet = try scene.puppet()
        let upstream = try await puppet.listen("upstream")
        tapline = try await scene.run(
            relays: """
                  - name: faulty
                    listen: 127.0.0.1:0
                    upstream: \(upstream)
                    \(settings)
                """, more: "admin: { listen: 'unix:\(scene.path("admin.sock"))' }\nworkers: 2\n\(more)", before: before)
        admin = try await scene.admin(of: tapline)
        // One that streams, so that there are pipes, and one that does not.
        for count in [6 << 20, 14] {
            try await Self.open("warm", puppet, tapline)
            try await puppet.pass(count, from: "warm", to: "warm'")
            try await puppet.pass(count, from: "warm'", to: "warm")
            for side in ["warm", "warm'"] { try await puppet.finish(side) }
            for side in ["warm", "warm'"] {
                try await puppet.receiveToEnd(side)
                try await puppet.close(side)
            }
        }
        _ = try await tapline.records(Self.warmedBy)
        _ = try await admin.ask("/metrics")
        // A listener for each worker, and the API's, with its copy for an upgrade: all clients have left.
        let tapline = tapline
        try await scene.eventually("no client is connected") { try tapline.footing().descriptors["socket"] == 4 }
        footing = try await tapline.steadyFooting(in: scene)
        // Answers are shared for 0.1 s: a test's first request gets one of its own.
        try await Task.sleep(for: .milliseconds(130))
    }

    private static func open(_ name: String, _ puppet: Puppet, _ tapline: TaplineProcess) async throws {
        try await puppet.connect(name, to: tapline.address)
        try await puppet.accept(name + "'", from: "upstream")
    }

    /// Opens a connection: the client's end is `name`, the upstream's `name'`.
    func open(_ name: String) async throws {
        try await Self.open(name, puppet, tapline)
    }

    /// Closes the descriptors of both ends, which have both ended.
    func close(_ name: String) async throws {
        for side in [name, name + "'"] { try await puppet.close(side) }
    }

    /// The records since the start, without those of the first conversations.
    func records(_ count: Int, within limit: Duration = .seconds(60)) async throws -> [EndRecord] {
        Array(try await tapline.records(count + Self.warmedBy, within: limit).dropFirst(Self.warmedBy))
    }

    /// The number of ended connections, without the first conversations.
    var endedSoFar: Int { get throws { try tapline.recordsSoFar.count - Self.warmedBy } }

    /// The sum of a metric's samples that contain these words.
    func metric(_ name: String, _ words: String...) async throws -> Int {
        try await admin.ask("/metrics").body.split(separator: "\n")
            .filter { line in line.hasPrefix(name) && words.allSatisfy { line.contains($0) } }
            .reduce(0) { $0 + (Int($1.split(separator: " ").last ?? "") ?? 0) }
    }

    /// FLAT.
    func expectFlat(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await tapline.expectFlat(since: footing, in: scene, sourceLocation: sourceLocation)
    }
}

/// Runs a test with a bench.
func faultScene(
    _ load: Scene.Load = .light, settings: String = "", more: String = "", _ play: (FaultBench) async throws -> Void
) async throws {
    try await scene(load) { scene in try await play(try await FaultBench(scene, settings: settings, more: more)) }
}
