import Foundation
import Synchronization

/// A peer that runs socket commands: `Peers/puppet.py`.
final class Puppet: Sendable {
    /// The result of a command.
    struct Answer: Decodable, Sendable {
        var id: Int
        var error: String?
        var address: String?
        var count: Int?
        var sha256: String?
        /// How a stream ended: `fin`, `reset`, or the name of the error.
        var end: String?
        var text: String?
    }

    private let program: Program
    private let commands = Mutex(0)

    fileprivate init(_ program: Program) {
        self.program = program
    }

    /// Runs a command. Several may run at once.
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

    /// Accepts the next client of a listener.
    func accept(_ name: String, from listener: String) async throws {
        try await tell("accept", name, ["from": listener])
    }

    /// Connects, from a given address if named; returns its own address.
    @discardableResult
    func connect(_ name: String, to address: String, from host: String? = nil) async throws -> String {
        var more = ["address": address]
        more["from"] = host
        return try await tell("connect", name, more).address ?? ""
    }

    /// Waits until a process listens there, by connecting and closing.
    func awaitListener(_ address: String) async throws {
        try await tell("await", address, ["address": address])
    }

    /// Waits until no process listens on that IPv4 port.
    func awaitRefusal(_ address: String) async throws {
        try await tell("refused", address, ["address": address])
    }

    /// Sends a text.
    func send(_ name: String, _ text: String) async throws {
        try await tell("send", name, ["text": text])
    }

    /// Sends bytes given in hexadecimal.
    func send(_ name: String, hex: String) async throws {
        try await tell("send", name, ["hex": hex])
    }

    /// Sends this many bytes of the content for their number; returns their hash.
    func send(_ name: String, count: Int, within limit: Duration = .seconds(90)) async throws -> String {
        try await tell("send", name, ["count": "\(count)"], within: limit).sha256 ?? ""
    }

    /// Sends until the socket accepts nothing for a while, two seconds by default; returns the number of bytes.
    func fill(_ name: String) async throws -> Int {
        try await fill(name, quiet: 2).count
    }

    /// The same, with the hash of the sent bytes.
    @discardableResult
    func fill(_ name: String, quiet: Double) async throws -> RecordingBench.Sent {
        let answer = try await tell("fill", name, ["quiet": "\(quiet)"])
        return (answer.count ?? 0, answer.sha256 ?? "")
    }

    /// Stops its process, as a debugger does at a breakpoint: its system still acknowledges, and nothing is read.
    func stop() async throws {
        try await program.stopRunning()
    }

    /// Continues it.
    func goOn() async throws {
        try await program.goOn()
    }

    /// Receives exactly this many bytes.
    @discardableResult
    func receive(_ name: String, count: Int, within limit: Duration = .seconds(90)) async throws -> Answer {
        try await tell("receive", name, ["count": "\(count)"], within: limit)
    }

    /// Receives until the stream ends in any way.
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

    /// Opens this many pipes and keeps them.
    func holdPipes(_ count: Int) async throws -> Int {
        try await tell("pipes", "pipes", ["count": "\(count)"]).count ?? 0
    }
}

extension Scene {
    /// The words that start a script of `Peers`.
    static func peer(_ script: String) -> [String] {
        // -B: no compiled files in the source folders.
        [Programs.path("python3") ?? "python3", "-B", "\(peers)/\(script)"]
    }

    /// The folder of the scripts.
    static let peers = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Peers").path

    /// The address on which a script of `Peers` listens as the upstream, from its first line.
    func listening(_ peers: Program) async throws -> String {
        let line = try await peers.output.line(containing: "\"listening\"")
        return try JSONDecoder().decode([String: String].self, from: Data(line.utf8))["listening"] ?? ""
    }

    /// Starts a puppet.
    func puppet(before: [String] = []) throws -> Puppet {
        Puppet(try start(before + Self.peer("puppet.py")))
    }

    /// Starts a puppet as an unprivileged user, who may not be able to read the sources.
    func ordinaryPuppet() throws -> Puppet {
        for script in ["peer.py", "puppet.py"] {
            try FileManager.default.copyItem(atPath: "\(Self.peers)/\(script)", toPath: path(script))
        }
        return Puppet(
            try start(Self.ordinaryUser + [Programs.path("python3") ?? "python3", "-B", path("puppet.py")]))
    }

    /// The words that start a program as an unprivileged user.
    static let ordinaryUser = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]

    /// A copy of the binary that every user can start.
    func publicBinary() throws -> String {
        try FileManager.default.copyItem(atPath: TaplineProcess.binary, toPath: path("tapline"))
        return path("tapline")
    }
}
