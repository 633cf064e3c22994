import Foundation

extension Scene {
    /// A shell command for an HTTP server that serves the scene's folder on a port.
    func httpServer(on port: Int) -> String {
        "exec \(Programs.path("python3") ?? "python3") -m http.server \(port) --bind 127.0.0.1 --directory '\(folder)'"
    }

    /// The content of a file that a relay's HTTP server returns.
    func fetch(_ name: String, through tapline: TaplineProcess) async throws -> String {
        try await run("curl", "-sS", "--fail", "http://\(tapline.address)/\(name)")
    }
}

/// The commands of `--exec` that Tapline has reported.
enum StartedCommand {
    private struct Line: Decodable {
        var process: pid_t
    }

    /// The process IDs of the first `count` commands; waits for them.
    static func processes(_ count: Int, of tapline: TaplineProcess) async throws -> [pid_t] {
        try await tapline.program.errors.first(count) { $0.contains("started: ") }
            .map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)).process }
    }

    /// Waits until the command has written a line. Tapline's own lines contain its text.
    static func said(_ line: String, _ tapline: TaplineProcess) async throws {
        _ = try await tapline.program.errors.first { $0 == line }
    }

    /// The number of commands started so far.
    static func count(of tapline: TaplineProcess) -> Int {
        tapline.program.errors.all.count { $0.contains("started: ") }
    }

    /// Waits until a group has no process: those that are killed at the end of Tapline die a moment later.
    static func awaitEnd(ofGroup group: pid_t, in scene: Scene) async throws {
        try await scene.eventually("group \(group) is gone") { !isAlive(group: group) }
    }

    /// Whether a process of the group is left that is not a zombie.
    static func isAlive(group: pid_t) -> Bool {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.contains { name in
            guard pid_t(name) != nil, let stat = try? String(contentsOfFile: "/proc/\(name)/stat", encoding: .utf8),
                let end = stat.lastIndex(of: ")")
            else { return false }
            // After the name: the state, the parent and the group (proc(5)).
            let fields = stat[end...].split(separator: " ")
            return fields.count > 3 && fields[3] == "\(group)" && fields[1] != "Z"
        }
    }
}
