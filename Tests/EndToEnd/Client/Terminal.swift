import Foundation

/// A terminal with a shell: the test's own tmux, whose screen can be read. It ends with the test's scene.
struct Terminal: Sendable {
    private let scene: Scene
    private let socket: String

    fileprivate init(_ scene: Scene, columns: Int, rows: Int, variables: [String: String]) async throws {
        self.scene = scene
        socket = scene.path("tmux")
        let settings = try scene.file(
            "tmux.conf", "set -g status off\nset -g escape-time 0\n")
        let server = try scene.start(["tmux", "-S", socket, "-f", settings, "-D"])
        // Repeated until it answers; a tmux that has exited never does.
        let deadline = ContinuousClock.now + .seconds(60)
        while !FileManager.default.fileExists(atPath: socket) {
            guard ContinuousClock.now < deadline else { throw Failure("tmux: \(server.errors.all)") }
            try await Task.sleep(for: .milliseconds(20))
        }
        var words = ["new-session", "-d", "-x", "\(columns)", "-y", "\(rows)"]
        for (key, value) in variables.sorted(by: { $0.key < $1.key }) { words += ["-e", "\(key)=\(value)"] }
        try await tmux(words + ["bash", "--norc", "-i"])
    }

    @discardableResult
    private func tmux(_ words: [String]) async throws -> String {
        try await scene.run(["tmux", "-u", "-S", socket] + words)
    }

    /// Types keys, each by its tmux name, or texts.
    func type(_ keys: String...) async throws {
        for key in keys { try await tmux(["send-keys", key]) }
    }

    /// Resizes it.
    func resize(columns: Int, rows: Int) async throws {
        try await tmux(["resize-window", "-x", "\(columns)", "-y", "\(rows)"])
    }

    /// The lines on the screen now.
    func screen() async throws -> [String] {
        try await tmux(["capture-pane", "-p"]).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// The text on the screen now, with the escape sequences of its styles.
    func screenWithStyles() async throws -> String {
        try await tmux(["capture-pane", "-e", "-p"])
    }

    /// The lines on the screen once they satisfy a condition.
    @discardableResult
    func await(_ what: String, _ isWanted: ([String]) -> Bool) async throws -> [String] {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            let lines = try await screen()
            if isWanted(lines) { return lines }
            guard ContinuousClock.now < deadline else {
                throw Failure("\(what) is not on the screen:\n\(lines.joined(separator: "\n"))")
            }
        }
    }

    /// Whether the cursor is shown.
    func showsCursor() async throws -> Bool {
        try await tmux(["display-message", "-p", "#{cursor_flag}"]) == "1"
    }

    /// The process that the shell has started.
    func child(of scene: Scene) async throws -> String {
        let shell = try await tmux(["display-message", "-p", "#{pane_pid}"])
        return try await scene.run("pgrep", "-P", shell)
    }
}

extension Scene {
    /// Starts a terminal with a size and environment variables.
    func terminal(columns: Int, rows: Int, variables: [String: String]) async throws -> Terminal {
        try await Terminal(self, columns: columns, rows: rows, variables: variables)
    }
}
