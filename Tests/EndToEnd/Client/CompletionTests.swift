import Foundation
import TestSupport
import Testing

/// What bash, zsh and fish offer at the end of a command line, with the script that Tapline prints for them.
struct CompletionTests {
    static let shells = ["bash", "zsh", "fish"]

    /// A folder with some files, and a shell that completes lines in it.
    private struct Bench {
        let scene: Scene
        let shell: String
        /// The working directory.
        let folder: String

        init(_ scene: Scene, _ shell: String) async throws {
            self.scene = scene
            self.shell = shell
            folder = scene.path("work")
            try Files.makeDirectory(folder)
            try Files.makeDirectory(scene.path("bin"))
            try Files.makeDirectory(folder + "/tapes")
            try FileManager.default.createSymbolicLink(
                atPath: scene.path("bin/tapline"), withDestinationPath: TaplineProcess.binary)
            _ = try scene.file(
                "script", try await scene.run(TaplineProcess.binary, "--generate-completion-script", shell))
            for name in ["tapline.yaml", "talk.pcapng", "token.txt"] { _ = try scene.file("work/\(name)", "") }
        }

        /// Waits until a line has these candidates. A completion gives up after 0.3 s, which a busy machine may need.
        func offers(_ wanted: Set<String>, for line: String, variables: [String: String] = [:]) async throws {
            try await scene.eventually("\(shell) offers \(wanted.sorted()) for \(line)") {
                try await candidates(line, variables: variables) == wanted
            }
        }

        /// The candidates at the end of a line.
        func candidates(_ line: String, variables: [String: String] = [:]) async throws -> Set<String> {
            let scratch = scene.path("scratch")
            try? FileManager.default.removeItem(atPath: scratch)
            try Files.makeDirectory(scratch)
            var all = ["TAPLINE_ADMIN": "127.0.0.1:1", "XDG_RUNTIME_DIR": "", "XDG_CONFIG_HOME": scratch]
            all["PATH"] = "\(scene.path("bin")):/usr/bin:/bin"
            all.merge(variables) { $1 }
            let program = try scene.start(
                [
                    "env", "-C", folder, "python3", "-B", "\(Repository.root)/Tests/EndToEnd/Peers/complete.py", shell,
                    scene.path("script"), scratch, line,
                ], variables: all)
            program.finishInput()
            #expect(try await program.exit() == .exited(0), "\(program.errors.all)")
            // fish marks a folder itself, the others have the shell do it.
            return Set(program.output.all.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 })
        }
    }

    @Test(.needs("python3", "bash", "zsh", "fish"), arguments: shells)
    func files_areOfferedWhereACommandTakesThem(shell: String) async throws {
        try await scene { scene in
            let bench = try await Bench(scene, shell)
            #expect(try await bench.candidates("tapline show ta") == ["talk.pcapng", "tapes"])
            #expect(try await bench.candidates("tapline why ta") == ["talk.pcapng", "tapes"])
            for line in ["tapline check ", "tapline run ", "tapline run --config ", "tapline status -c "] {
                #expect(try await bench.candidates(line) == ["tapline.yaml", "tapes"], "\(line)")
            }
            let every: Set = ["tapline.yaml", "talk.pcapng", "token.txt", "tapes"]
            #expect(try await bench.candidates("tapline forward --record ") == every)
            #expect(try await bench.candidates("tapline forward --tls-cert ") == every.union(["auto"]))
            #expect(try await bench.candidates("tapline forward --tls-cert a") == ["auto"])
            #expect(try await bench.candidates("tapline forward --tls-key ") == every)
            #expect(try await bench.candidates("tapline top --token-file to") == ["token.txt"])
        }
    }

    @Test(.needs("python3", "bash", "zsh", "fish"), arguments: shells)
    func words_areOfferedForOptionsThatHaveAList(shell: String) async throws {
        try await scene { scene in
            let bench = try await Bench(scene, shell)
            #expect(try await bench.candidates("tapline show x --flow ") == ["up", "down"])
            #expect(try await bench.candidates("tapline forward --log-format ") == ["text", "json"])
            #expect(try await bench.candidates("tapline forward -p ") == ["text", "hex"])
            #expect(try await bench.candidates("tapline tail --format ") == ["text", "hex", "json", "pcapng"])
            #expect(try await bench.candidates("tapline connections --sort b") == ["bytes", "bytes_up", "bytes_down"])
            #expect(try await bench.candidates("tapline show x --sort b") == ["bytes", "bytes_up", "bytes_down"])
            #expect(try await bench.candidates("tapline show x --closed-by ") == ["client", "upstream", "tapline"])
            #expect(try await bench.candidates("tapline show x --reason connect_r") == ["connect_refused"])
            #expect(try await bench.candidates("tapline wa") == ["wait-ready"])
        }
    }

    /// From the tapline that the command itself would talk to: bash divides its address at the colon.
    @Test(.needs("python3", "bash", "zsh", "fish"), arguments: shells)
    func relaysAndConnections_areThoseOfTheRunningTapline(shell: String) async throws {
        try await CommandBench.play { running in
            let bench = try await Bench(running.scene, shell)
            try await bench.offers(["web"], for: "tapline connections --admin \(running.admin) --relay ")
            try await bench.offers(["web"], for: "tapline tail -a \(running.admin) -r w")
            try await bench.offers(["1"], for: "tapline kill -a \(running.admin) ")
            let variables = ["TAPLINE_ADMIN": running.admin]
            try await bench.offers(["1"], for: "tapline kill ", variables: variables)
            try await bench.offers(["1"], for: "tapline tail --connection ", variables: variables)
            // Nothing listens at the address of the line, which comes first.
            #expect(try await bench.candidates("tapline kill -a 127.0.0.1:1 ", variables: variables).isEmpty)
            #expect(try await bench.candidates("tapline kill -a $NONE ", variables: variables).isEmpty)
            // Ended connections can be explained, and not killed.
            try await running.puppet.close("client")
            try await running.puppet.close("server")
            try await running.scene.eventually("the connection has ended") {
                try await running.command("connections", "--json").output.isEmpty
            }
            #expect(try await bench.candidates("tapline kill ", variables: variables).isEmpty)
            try await bench.offers(["1", "talk.pcapng", "tapes"], for: "tapline why ", variables: variables)
        }
    }

    @Test(.needs("python3", "bash", "zsh", "fish"), arguments: shells)
    func recording_hasItsConnectionsAndRelays(shell: String) async throws {
        try await scene { scene in
            let bench = try await Bench(scene, shell)
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await puppet.listen("upstream"))",
                options: ["--record", bench.folder + "/real.pcapng"])
            for index in 1...2 {
                try await puppet.connect("client\(index)", to: tapline.address)
                try await puppet.accept("server\(index)", from: "upstream")
                try await puppet.close("client\(index)")
                try await puppet.close("server\(index)")
            }
            _ = try await tapline.records(2)
            try await tapline.stop()
            let files: Set = ["talk.pcapng", "real.pcapng", "tapes"]
            try await bench.offers(files.union(["1", "2"]), for: "tapline show real.pcapng ")
            try await bench.offers(files.union(["1", "2"]), for: "tapline why real.pcapng ")
            try await bench.offers(["1", "2"], for: "tapline show real.pcapng --connection ")
            // A name that is made of the port.
            try await scene.eventually("the relay is offered") {
                try await bench.candidates("tapline show real.pcapng --relay ").count == 1
            }
        }
    }

    /// As the scripts call it. A server that accepts and says nothing costs the shell a moment, and not the ten seconds
    /// that a command would wait.
    @Test(.needs("python3")) func silentServer_hasNoCandidatesAndNoErrors() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let silent = try await puppet.listen("silent")
            for address in [silent, "127.0.0.1:1", "nonsense", "unix:/none"] {
                let start = ContinuousClock.now
                let program = try scene.start(
                    [
                        TaplineProcess.binary, "---completion", "kill", "--", "positional@0", "2", "0", "tapline",
                        "kill", "",
                    ],
                    variables: ["TAPLINE_ADMIN": address, "SAP_SHELL": "fish"])
                program.finishInput()
                #expect(try await program.exit() == .exited(0))
                #expect(program.errors.all.isEmpty && program.output.all.joined().isEmpty)
                #expect(ContinuousClock.now - start < .seconds(9))
            }
        }
    }
}
