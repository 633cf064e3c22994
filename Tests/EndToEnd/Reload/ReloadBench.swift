import Foundation
import TestSupport

/// A Tapline with a configuration file, an upstream for its relays, and ways to change the file.
struct ReloadBench {
    let scene: Scene
    let puppet: Puppet
    /// The upstream's address.
    let upstream: String
    /// The configuration file, in a folder of its own.
    let path: String
    /// The folder.
    var folder: String { String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) }
    /// A free loopback address for a relay, and one for another.
    let (first, second): (String, String)

    /// Chooses addresses and creates the folder; nothing runs yet.
    init(_ scene: Scene) async throws {
        self.scene = scene
        puppet = try scene.puppet()
        upstream = try await puppet.listen("upstream")
        // A port that was free a moment ago, on loopback addresses that nothing else uses.
        let free = try await puppet.listen("free", "127.0.77.1:0")
        try await puppet.close("free")
        first = free
        second = free.replacingOccurrences(of: "127.0.77.1", with: "127.0.77.2")
        try Files.makeDirectory(scene.path("conf"))
        path = scene.path("conf/tapline.yaml")
    }

    /// A configuration: further lines at the top, and relays to the upstream, by name and address.
    func text(_ relays: [(name: String, address: String)], log: String = "format: json", more: String = "") -> String {
        let entries = relays.map { "  - { name: \($0.name), listen: '\($0.address)', upstream: '\(upstream)' }\n" }
        return "log: { \(log) }\n\(more)\nrelays:\n" + entries.joined()
    }

    /// The configuration at the start of each test: a relay `web` on the first address.
    var start: String { text([("web", first)]) }
    /// With a second relay, `cache`.
    var added: String { text([("web", first), ("cache", second)]) }

    /// Starts Tapline with the current file.
    func run(_ relays: Int = 1, before: [String] = []) async throws -> TaplineProcess {
        let program = try scene.start(before + [TaplineProcess.binary, "run", "--config", path])
        let lines = try await program.errors.first(relays) { $0.contains(" listens on ") }
        return TaplineProcess(program: program, pid: try await program.pid(), listeners: lines)
    }

    /// The log line of the reload that led to a generation, in either format.
    @discardableResult
    func reloaded(_ tapline: TaplineProcess, _ generation: Int) async throws -> String {
        try await tapline.program.errors.first {
            $0.contains("reloaded: ")
                && ($0.contains("\"generation\":\(generation),") || $0.contains("generation=\(generation) "))
        }[0]
    }

    /// A conversation through a relay's address.
    func converse(_ address: String, _ name: String = UUID().uuidString) async throws {
        try await begin(address, name)
        try await end(name)
    }

    /// Opens a connection: the client's end is `name`, the upstream's `name'`.
    func begin(_ address: String, _ name: String) async throws {
        try await puppet.connect(name, to: address)
        try await puppet.accept(name + "'", from: "upstream")
        try await exchange(name)
    }

    /// Bytes both ways.
    func exchange(_ name: String) async throws {
        for (sender, receiver) in [(name, name + "'"), (name + "'", name)] {
            let hash = try await puppet.send(sender, count: 40_000)
            let answer = try await puppet.receive(receiver, count: 40_000)
            guard answer.sha256 == hash else { throw Failure("other bytes came than were sent") }
        }
    }

    /// Ends it in order, the client first: its FIN has arrived before the upstream ends its half.
    func end(_ name: String) async throws {
        for (side, other) in [(name, name + "'"), (name + "'", name)] {
            try await puppet.finish(side)
            guard try await puppet.receiveToEnd(other).end == "fin" else { throw Failure("\(other) was cut") }
        }
        for side in [name, name + "'"] { try await puppet.close(side) }
    }

    // MARK: Ways to change the file

    /// Ways in which programs change a file.
    enum Change: CaseIterable, Sendable {
        case renamedOver, writtenInPlace, deletedAndRecreated, savedByAnEditor, swappedAsAConfigMap, writtenInHalves
        case signalled
    }

    /// Changes the file in one of these ways.
    func change(_ change: Change, to text: String, _ tapline: TaplineProcess) async throws {
        switch change {
        case .renamedOver: try Files.replace(path, with: text)
        case .writtenInPlace: try Files.write(text, to: path)
        case .deletedAndRecreated:
            try Files.remove(path)
            try Files.write(text, to: path)
        case .savedByAnEditor:
            try Files.write("", to: "\(folder)/.tapline.yaml.swp")
            try Files.move(path, to: "\(folder)/tapline.yaml~")
            try Files.write(text, to: path)
            try Files.remove("\(folder)/tapline.yaml~")
            try Files.remove("\(folder)/.tapline.yaml.swp")
        case .swappedAsAConfigMap: try publish(text)
        case .writtenInHalves:
            // It is cut within the first relay, so that the first half is never a valid configuration.
            let half = text.dropLast(text.count / 2)
            try Files.write(String(half), to: path)
            try Files.append(String(text.dropFirst(half.count)), to: path)
        case .signalled:
            try Files.replace(path, with: text)
            try await tapline.program.send(SIGHUP)
        }
    }

    /// Swaps a folder as Kubernetes swaps that of a ConfigMap; the path becomes a link into it if it is not one yet.
    func publish(_ text: String) throws {
        let name = "..\(UUID().uuidString)"
        try Files.makeDirectory("\(folder)/\(name)")
        try Files.write(text, to: "\(folder)/\(name)/tapline.yaml")
        let old = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/..data")
        try Files.link("\(folder)/..data", to: name)
        if (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) == nil {
            try Files.link(path, to: "..data/tapline.yaml")
        }
        if let old { try FileManager.default.removeItem(atPath: "\(folder)/\(old)") }
    }
}

/// Runs a test with a bench.
func reloadScene(_ load: Scene.Load = .light, _ play: (ReloadBench) async throws -> Void) async throws {
    try await scene(load) { scene in try await play(try await ReloadBench(scene)) }
}
