import Foundation
import TestSupport
import Testing

/// A Tapline and the processes that replace it, one after the other. All of them write to the outputs of the first one.
final class Lineage {
    let first: TaplineProcess
    /// The process that serves.
    private(set) var current: pid_t
    /// The earlier processes.
    private(set) var past: [pid_t] = []

    fileprivate init(_ first: TaplineProcess) {
        self.first = first
        current = first.pid
    }

    /// Every line of the log.
    var errors: Lines { first.program.errors }

    func send(_ signal: CInt) throws {
        guard kill(current, signal) == 0 else { throw Failure("no process \(current) to signal") }
    }

    /// Upgrades to the program on the disk, and waits for it. `isAsked`: the signal has been sent.
    func upgrade(isAsked: Bool = false) async throws {
        if !isAsked { try send(SIGUSR2) }
        let old = current
        // Logged by the new process.
        let line = try await errors.line(containing: " took over from process \(old), which lets")
        guard let number = line.firstMatch(of: /"process":(\d+)/)?.1, let pid = pid_t(number), pid != old else {
            throw Failure("no particulars: \(line)")
        }
        past.append(old)
        current = pid
    }

    /// Waits until the earlier processes have ended.
    func awaitEndOfPast(_ scene: Scene) async throws {
        try await scene.eventually("the processes \(past) end", within: .seconds(60)) {
            !past.contains { Self.isRunning($0) }
        }
    }

    /// Waits until all of them have ended and their output is read; returns the first one's exit status. Then
    /// `first.recordsSoFar` contains every end record.
    func finish(_ scene: Scene) async throws -> String {
        past.append(current)
        try await awaitEndOfPast(scene)
        first.program.finishInput()
        try await first.program.exit()
        return try #require(first.program.output.all.first { $0.hasPrefix("status ") })
    }

    /// Whether a process runs and is not a zombie.
    static func isRunning(_ pid: pid_t) -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let name = stat.lastIndex(of: ")")
        else { return false }
        return !stat[name...].dropFirst(2).hasPrefix("Z")
    }

    /// Kills all of them, and only them.
    fileprivate func end() {
        let started = errors.all.compactMap { $0.firstMatch(of: /"process":(\d+)/).flatMap { pid_t($0.1) } }
        for pid in Set(started + past + [current]) {
            let words = (try? String(contentsOfFile: "/proc/\(pid)/cmdline", encoding: .utf8)) ?? ""
            if words.contains("/tmp/tapline-e2e-") { _ = kill(pid, SIGKILL) }
        }
    }
}

extension ReloadBench {
    /// Starts a Tapline that can be upgraded, from a copy of the binary that can be replaced, and runs a test with it.
    /// Its arguments are `run` with the file, unless others are given.
    func lineage(
        _ words: [String]? = nil, relays: Int = 1, variables: [String: String] = [:], before: [String] = [],
        _ play: (Lineage) async throws -> Void
    ) async throws {
        // The outputs are read as long as the shell lives, which outlives the first process.
        let script = #""$0" "$@" & echo "pid $!"; cat >/dev/null; wait $!; echo "status $?""#
        let program = try scene.start(
            ["sh", "-c", script] + before + [try await binary()] + (words ?? ["run", "--config", path]),
            variables: variables)
        let pid = try await program.output.line(containing: "pid ").dropFirst(4)
        let lineage = Lineage(
            TaplineProcess(program: program, pid: try #require(pid_t(pid)), listeners: []))
        defer { lineage.end() }
        _ = try await program.errors.first(relays) { $0.contains(" listens on ") }
        try await play(lineage)
    }

    /// The path of the replaceable binary.
    var binaryPath: String { scene.path("bin/tapline") }

    private func binary() async throws -> String {
        try Files.makeDirectory(scene.path("bin"))
        try await installBinary()
        return binaryPath
    }

    /// Installs the binary under test at the lineage's path, by renaming over it. Another program writes it, because a
    /// file that this process has open for writing is briefly open in every child that another test starts, and then
    /// cannot be executed (ETXTBSY).
    func installBinary() async throws {
        try await scene.run("cp", TaplineProcess.binary, binaryPath + ".new")
        try Files.move(binaryPath + ".new", to: binaryPath)
    }

    /// Installs a script there, in the same way.
    func installScript(_ text: String) async throws {
        let write = #"printf '#!/bin/sh\n%s\n' "$1" > "$0" && chmod 755 "$0""#
        try await scene.run("sh", "-c", write, binaryPath + ".new", text)
        try Files.move(binaryPath + ".new", to: binaryPath)
    }
}
