import Foundation
import Synchronization

/// A peer that does with its sockets what it is told: `Peers/puppet.py`.
final class Puppet: Sendable {
    /// What it says about a command it has carried out.
    struct Answer: Decodable, Sendable {
        var id: Int
        var error: String?
        var address: String?
        var count: Int?
        var sha256: String?
        /// How a stream ended: `fin`, `reset`, or what the system calls the error.
        var end: String?
        var text: String?
    }

    private let program: Program
    private let commands = Mutex(0)

    fileprivate init(_ program: Program) {
        self.program = program
    }

    /// Carries a command out. Several may be under way at once.
    @discardableResult
    private func tell(
        _ verb: String, _ name: String, _ more: [String: String] = [:], within limit: Duration = .seconds(90)
    ) async throws -> Answer {
        let id = commands.withLock { number in
            number += 1
            return number
        }
        var command = more
        command["id"] = "\(id)"
        command["do"] = verb
        command["name"] = name
        program.write(String(decoding: try JSONEncoder().encode(command), as: UTF8.self) + "\n")
        let line = try await program.output.line(containing: "{\"id\": \(id),", within: limit)
        let answer = try JSONDecoder().decode(Answer.self, from: Data(line.utf8))
        if let error = answer.error { throw Failure("\(verb) \(name): \(error)") }
        return answer
    }

    /// Listens; returns the address. `unix:PATH` is a Unix socket.
    func listen(_ name: String, _ address: String = "127.0.0.1:0") async throws -> String {
        try await tell("listen", name, ["address": address]).address ?? ""
    }

    /// Takes the next client of a listener.
    func accept(_ name: String, from listener: String) async throws {
        try await tell("accept", name, ["from": listener])
    }

    /// Connects, from an address of its own if one is named; returns its address.
    @discardableResult
    func connect(_ name: String, to address: String, from host: String? = nil) async throws -> String {
        var more = ["address": address]
        more["from"] = host
        return try await tell("connect", name, more).address ?? ""
    }

    /// Waits until somebody listens there, by connecting and closing.
    func awaitListener(_ address: String) async throws {
        try await tell("await", address, ["address": address])
    }

    /// Waits until nobody listens on that port of IPv4 any more.
    func awaitRefusal(_ address: String) async throws {
        try await tell("refused", address, ["address": address])
    }

    /// Sends a text.
    func send(_ name: String, _ text: String) async throws {
        try await tell("send", name, ["text": text])
    }

    /// Sends bytes that are no text, given in hexadecimal.
    func send(_ name: String, hex: String) async throws {
        try await tell("send", name, ["hex": hex])
    }

    /// Sends so many bytes that only their number decides; returns their hash.
    func send(_ name: String, count: Int, within limit: Duration = .seconds(90)) async throws -> String {
        try await tell("send", name, ["count": "\(count)"], within: limit).sha256 ?? ""
    }

    /// Sends as much as there is room for until the socket takes no more for a while, two seconds by default; returns how
    /// much.
    func fill(_ name: String) async throws -> Int {
        try await fill(name, quiet: 2).count
    }

    /// The same, with the hash of what was taken.
    @discardableResult
    func fill(_ name: String, quiet: Double) async throws -> RecordingBench.Sent {
        let answer = try await tell("fill", name, ["quiet": "\(quiet)"])
        return (answer.count ?? 0, answer.sha256 ?? "")
    }

    /// Stops its process, as a debugger does at a breakpoint: its system answers for it, and nobody reads.
    func stop() async throws {
        try await program.stopRunning()
    }

    /// Lets it go on.
    func goOn() async throws {
        try await program.goOn()
    }

    /// Receives exactly so many bytes.
    @discardableResult
    func receive(_ name: String, count: Int, within limit: Duration = .seconds(90)) async throws -> Answer {
        try await tell("receive", name, ["count": "\(count)"], within: limit)
    }

    /// Receives until the stream ends, one way or another.
    @discardableResult
    func receiveToEnd(_ name: String, within limit: Duration = .seconds(90)) async throws -> Answer {
        try await tell("receive", name, within: limit)
    }

    /// Waits until the other side's system has acknowledged everything sent.
    func flush(_ name: String) async throws {
        try await tell("flush", name)
    }

    /// Ends its half of the stream.
    func finish(_ name: String) async throws {
        try await tell("finish", name)
    }

    /// Resets the connection.
    func reset(_ name: String) async throws {
        try await tell("reset", name)
    }

    /// Closes it.
    func close(_ name: String) async throws {
        try await tell("close", name)
    }

    /// Opens so many pipes and keeps them.
    func holdPipes(_ count: Int) async throws -> Int {
        try await tell("pipes", "pipes", ["count": "\(count)"]).count ?? 0
    }
}

extension Scene {
    /// The words that start a script of `Peers`.
    static func peer(_ script: String) -> [String] {
        // -B: no compiled files among the sources.
        [Programs.path("python3") ?? "python3", "-B", "\(peers)/\(script)"]
    }

    /// The folder of the scripts.
    static let peers = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Peers").path

    /// Where the upstream of a script of `Peers` listens, which it says first.
    func listening(_ peers: Program) async throws -> String {
        let line = try await peers.output.line(containing: "\"listening\"")
        return try JSONDecoder().decode([String: String].self, from: Data(line.utf8))["listening"] ?? ""
    }

    /// Starts a puppet.
    func puppet(before: [String] = []) throws -> Puppet {
        Puppet(try start(before + Self.peer("puppet.py")))
    }

    /// Starts a puppet as a user without rights, who may not be able to read the sources.
    func ordinaryPuppet() throws -> Puppet {
        for script in ["peer.py", "puppet.py"] {
            try FileManager.default.copyItem(atPath: "\(Self.peers)/\(script)", toPath: path(script))
        }
        return Puppet(
            try start(Self.ordinaryUser + [Programs.path("python3") ?? "python3", "-B", path("puppet.py")]))
    }

    /// The words that start a program as a user without rights.
    static let ordinaryUser = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]

    /// A copy of the binary that every user can start.
    func publicBinary() throws -> String {
        try FileManager.default.copyItem(atPath: TaplineProcess.binary, toPath: path("tapline"))
        return path("tapline")
    }
}
