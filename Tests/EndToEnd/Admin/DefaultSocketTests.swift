import Foundation
import Testing

/// The admin socket that `forward` has without `--admin`.
@Suite(.needs("python3"))
struct DefaultSocketTests {
    private func variables(_ scene: Scene) -> [String: String] {
        ["XDG_RUNTIME_DIR": scene.folder, "TAPLINE_ADMIN": ""]
    }

    private func forward(_ scene: Scene, _ words: String...) async throws -> (program: Program, address: String) {
        let program = try scene.start(
            [TaplineProcess.binary, "forward", "--log-format", "json"] + words, variables: variables(scene))
        let line = try await program.errors.line(containing: " listens on ")
        return (program, String(try #require(line.firstMatch(of: /listens on ([\d.:]+),/)).1))
    }

    private func command(
        _ scene: Scene, _ words: String...
    ) async throws -> (ending: Program.Ending, output: String, errors: String) {
        // In the scene's folder, for a configuration there.
        let program = try scene.start(
            ["sh", "-c", "cd \"$0\" && exec \"$@\"", scene.folder, TaplineProcess.binary] + words,
            variables: variables(scene))
        program.finishInput()
        let ending = try await program.exit()
        return (ending, program.output.all.joined(separator: "\n"), program.errors.all.joined(separator: "\n"))
    }

    private func sockets(_ scene: Scene) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: scene.path("tapline"))
    }

    private func socketAwaited(_ scene: Scene, count: Int = 1) async throws {
        try await scene.eventually("the socket is there") { (try? sockets(scene).count) == count }
    }

    @Test func why_withoutAnID_explainsTheLastFailure() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let (program, address) = try await forward(scene, "127.0.0.1:0:\(upstream)")
            try await socketAwaited(scene)
            let none = try await command(scene, "why")
            #expect(none.ending == .exited(1) && none.errors.contains("no connection has ended yet"))
            try await puppet.connect("first", to: address)
            try await puppet.accept("server", from: "upstream")
            try await puppet.reset("first")
            _ = try await program.output.first(1, where: EndRecord.isRecord)
            try await puppet.connect("second", to: address)
            try await puppet.accept("other", from: "upstream")
            try await puppet.close("second")
            _ = try await puppet.receiveToEnd("other")
            try await puppet.close("other")
            _ = try await program.output.first(2, where: EndRecord.isRecord)
            // An answer may be a tenth of a second old.
            try await scene.eventually("the first one is explained") {
                let why = try await command(scene, "why")
                return why.output.hasPrefix("connection 1 ") && why.output.contains("client_reset")
            }
            try await program.send(SIGTERM)
            #expect(try await program.exit() == .exited(0))
            #expect(try sockets(scene).isEmpty)
        }
    }

    @Test func severalForwards_areListed_andStaleSocketsRemoved() async throws {
        try await scene { scene in
            let (first, _) = try await forward(scene, "127.0.0.1:0:a.example:80")
            let (second, address) = try await forward(scene, "127.0.0.1:0:b.example:80")
            try await socketAwaited(scene, count: 2)
            let choice = try await command(scene, "status")
            #expect(choice.ending == .exited(64))
            #expect(
                choice.errors.contains("2 forwards are running") && choice.errors.contains("\(address) to b.example:80")
            )
            // A killed process leaves its socket file, which clients do not use.
            try await first.send(SIGKILL)
            _ = try await first.exit()
            #expect(try sockets(scene).count == 2)
            let status = try await command(scene, "status")
            #expect(status.ending == .exited(0) && status.output.contains("b.example:80"))
            #expect(try sockets(scene) == ["\(try await second.pid()).sock"])
            try await second.send(SIGTERM)
            #expect(try await second.exit() == .exited(0))
        }
    }

    /// A tapline.yaml in the folder, whose tapline is not running, does not hide the running `forward`: commands that only
    /// read use it, and say so.
    @Test func configuration_whoseTaplineIsNotRunning_doesNotHideTheForward() async throws {
        try await scene { scene in
            let port = try scene.freePort()
            _ = try scene.file(
                "tapline.yaml",
                "admin: { listen: 127.0.0.1:\(port) }\nrelays: [{ name: web, listen: 8080, upstream: 'a:1' }]\n")
            let (program, _) = try await forward(scene, "127.0.0.1:0:a.example:80")
            try await socketAwaited(scene)
            let socket = scene.path("tapline/\(try await program.pid()).sock")
            let refused = "tapline: nothing listens at 127.0.0.1:\(port) (from ./tapline.yaml): Connection refused"
            let status = try await command(scene, "status")
            #expect(status.ending == .exited(0) && status.output.contains("a.example:80"))
            #expect(status.errors == "\(refused); using the running forward, unix:\(socket)")
            // A shutdown of the service must not stop the forward.
            let shutdown = try await command(scene, "shutdown")
            #expect(shutdown.ending == .exited(71) && shutdown.errors.hasPrefix(refused))
            let why = try await command(scene, "why", "99")
            #expect(why.ending == .exited(1))
            #expect(why.errors.hasSuffix("tapline: there has been no connection 99; none has been accepted"))
            let (second, _) = try await forward(scene, "127.0.0.1:0:b.example:80")
            try await socketAwaited(scene, count: 2)
            let choice = try await command(scene, "why")
            #expect(choice.ending == .exited(64) && choice.errors.contains("2 forwards are running; select one:"))
            for program in [program, second] {
                try await program.send(SIGTERM)
                #expect(try await program.exit() == .exited(0))
            }
        }
    }

    private static let advice = "; start with --admin 9180"

    /// In a log, in a pipe and on a terminal; the relay works.
    @Test(.needs("tmux")) func folderThatCannotBeUsed_isReported() async throws {
        try await scene { scene in
            let path = try scene.file("tapline", "")
            let sentence = "o admin socket: \(path) is a symbolic link or not a directory\(Self.advice)"
            let puppet = try scene.puppet()
            let spec = "127.0.0.1:0:\(try await puppet.listen("upstream"))"
            let (program, address) = try await forward(scene, spec)
            _ = try await program.errors.line(containing: "\"n\(sentence)\"")
            try await puppet.connect("client", to: address)
            try await puppet.accept("server", from: "upstream")
            try await program.send(SIGKILL)
            let plain = try scene.start([TaplineProcess.binary, "forward", spec], variables: variables(scene))
            _ = try await plain.errors.line(containing: "tapline: n\(sentence)")
            let terminal = try await scene.terminal(
                columns: 160, rows: 24, variables: variables(scene).merging(["LC_ALL": "C.UTF-8"]) { $1 })
            try await terminal.type("\(TaplineProcess.binary) forward \(spec)", "Enter")
            try await terminal.await("the sentence") { $0.contains("N\(sentence)") }
            try await terminal.type("C-c")
        }
    }

    /// Neither the variable, nor the folder of pam_systemd, nor a `/tmp` that can be written.
    @Test(.needs("unshare", "mount"), .needsRoot, .mayMount) func withoutAnyFolder_theRelayWorks() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let spec = "127.0.0.1:0:\(try await puppet.listen("upstream"))"
            let script = """
                mount --make-rprivate /
                mount -t tmpfs none /run
                mount --bind /tmp /tmp
                mount -o remount,bind,ro /tmp
                exec env -u XDG_RUNTIME_DIR \(TaplineProcess.binary) forward --log-format json \(spec)
                """
            let program = try scene.start(["unshare", "--mount", "sh", "-e", "-c", script])
            let line = try await program.errors.line(containing: "no admin socket: ")
            // The folder may exist from an earlier run; then the socket is what fails.
            #expect(line.contains("/tmp/tapline-0") && line.contains("Read-only file system"), "\(line)")
            #expect(line.contains(Self.advice), "\(line)")
            let listens = try await program.errors.line(containing: " listens on ")
            let address = try #require(listens.firstMatch(of: /listens on ([\d.:]+),/)).1
            try await puppet.connect("client", to: String(address))
            try await puppet.accept("server", from: "upstream")
            try await puppet.close("client")
            try await puppet.close("server")
            try await program.send(SIGTERM)
            #expect(try await program.exit() == .exited(0))
        }
    }

    @Test func adminOff_opensNoSocket() async throws {
        try await scene { scene in
            let (program, _) = try await forward(scene, "--admin", "off", "127.0.0.1:0:a.example:80")
            try await program.send(SIGTERM)
            #expect(try await program.exit() == .exited(0))
            #expect(!FileManager.default.fileExists(atPath: scene.path("tapline")))
        }
    }

    /// The next process serves the socket, and removes it at the end.
    @Test func upgrade_keepsTheSocket() async throws {
        try await scene { scene in
            let (program, _) = try await forward(scene, "127.0.0.1:0:a.example:80")
            try await socketAwaited(scene)
            let name = try sockets(scene)
            try await program.send(SIGUSR2)
            #expect(try await program.exit() == .exited(0))
            #expect(try sockets(scene) == name)
            let status = try await command(scene, "status")
            #expect(status.ending == .exited(0) && status.output.contains("a.example:80"))
            let pid = try #require(status.output.firstMatch(of: /pid (\d+)/)).1
            #expect(name != ["\(pid).sock"])
            // Where a command needs --admin: the process that runs, and not the one that named the socket.
            let (other, _) = try await forward(scene, "127.0.0.1:0:b.example:80")
            try await socketAwaited(scene, count: 2)
            let choice = try await command(scene, "status")
            #expect(choice.errors.contains("\(name[0])   process \(pid): "), "\(choice.errors)")
            try await other.send(SIGTERM)
            #expect(try await other.exit() == .exited(0))
            try await scene.run("kill", String(pid))
            try await scene.eventually("the socket is gone") { try sockets(scene).isEmpty }
        }
    }
}
