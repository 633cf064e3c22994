import Foundation
import TestSupport
import Testing

/// The output and the exit statuses of the commands.
struct CommandTests {
    private func tapline(_ words: String..., in scene: Scene) async throws -> Program {
        let program = try scene.start([TaplineProcess.binary] + words)
        program.finishInput()
        return program
    }

    @Test func version_isOneLine() async throws {
        try await scene { scene in
            let program = try await tapline("--version", in: scene)
            #expect(try await program.exit() == .exited(0))
            #expect(program.output.all.count == 1 && program.output.all[0].hasPrefix("tapline "))
        }
    }

    @Test(arguments: [
        ["forward"], ["forward", "8080"], ["forward", "8080:example.com"], ["forward", "--print", "loud", "0:a:1"],
        ["forward", "0:127.0.0.1:80", "--workers", "0"], ["forward", "0:127.0.0.1:80", "--idle-timeout", "5"],
        ["forward", "8080:a:1", "8080:b:2"], ["forward", "8080:127.0.0.1:8080"], ["walk"], ["check", "a", "-c", "b"],
    ])
    func wrongUsage_endsWith64AndSaysWhy(words: [String]) async throws {
        try await scene { scene in
            let program = try scene.start([TaplineProcess.binary] + words)
            #expect(try await program.exit() == .exited(64))
            #expect(program.output.all.isEmpty)
            #expect(program.errors.all.first?.hasPrefix("tapline: ") == true)
            #expect(program.errors.all.last?.hasPrefix("See 'tapline ") == true)
            #expect(program.errors.all.count <= 3)
        }
    }

    @Test func check_ofGoodConfigurations_endsWith0AndSumsThemUp() async throws {
        try await scene { scene in
            let examples = try FileManager.default.contentsOfDirectory(atPath: "\(Repository.root)/config/examples")
            let files = examples.filter { $0.hasSuffix(".yaml") }.sorted() + ["include/tapline.yaml"]
            let paths = ["config/tapline.yaml", "config/debian/tapline.yaml"] + files.map { "config/examples/\($0)" }
            #expect(paths.count > 8)
            for path in paths.map({ "\(Repository.root)/\($0)" }) {
                let program = try await tapline("check", path, in: scene)
                #expect(try await program.exit() == .exited(0), "\(path)")
                let summary = program.output.all.first ?? ""
                #expect(summary.hasPrefix(path) && summary.contains(": OK, "), "\(summary)")
                #expect(program.errors.all.isEmpty)
            }
        }
    }

    @Test func check_ofSeveralMistakes_namesEachWithItsPlace() async throws {
        try await scene { scene in
            let path = try scene.file(
                "bad.yaml",
                """
                worker: 2
                relays:
                  - name: web
                    listen: 127.0.0.1:99999
                    upstream: example.com:0

                """)
            let program = try await tapline("check", path, in: scene)
            #expect(try await program.exit() == .exited(78))
            #expect(program.output.all.isEmpty)
            let said = program.errors.all
            #expect(said.count == 3)
            #expect(said.contains { $0.hasPrefix("\(path):1:1: ") && $0.contains("`workers`") })
            #expect(said.contains { $0.hasPrefix("\(path):4:13: ") })
            #expect(said.contains { $0.hasPrefix("\(path):5:15: ") })
        }
    }

    @Test func check_asJSON_listsTheMistakes_andSumsUpWhatIsRight() async throws {
        try await scene { scene in
            let bad = try scene.file(
                "bad.yaml", "relays:\n  - { name: web, listen: 127.0.0.1:99999, upstream: 'a:1' }\n")
            let wrong = try await tapline("check", "--json", bad, in: scene)
            #expect(try await wrong.exit() == .exited(78))
            #expect(wrong.errors.all.isEmpty && wrong.output.all.count == 1)
            let object = try JSONDecoder().decode([String: JSON].self, from: Data(wrong.output.all.joined().utf8))
            #expect(object["valid"] == .flag(false))
            guard case .list(let problems) = object["problems"], case .object(let problem) = problems.first else {
                throw Failure("no problems: \(wrong.output.all)")
            }
            #expect(problems.count == 1 && problem["file"] == .text(bad) && problem["line"] == .number(2))
            #expect(problem["column"] == .number(26) && "\(problem["message"] ?? .null)".contains("99999"))

            let good = try scene.file(
                "good.yaml", "relays:\n  - { name: web, listen: '127.0.0.1:8080', upstream: 'a:1' }\n")
            let right = try await tapline("check", "-j", good, in: scene)
            #expect(try await right.exit() == .exited(0))
            #expect(
                right.output.all == [
                    "{\"valid\":true,\"file\":\"\(good)\",\"included_files\":0,\"relays\":[{\"name\":\"web\","
                        + "\"listen\":[\"127.0.0.1:8080\"],\"upstream\":\"a:1\",\"tls\":false,\"upstream_tls\":false,\"tls_routing\":null}],\"warnings\":[]}"
                ])

            let missing = try await tapline("check", "--json", scene.path("none.yaml"), in: scene)
            #expect(try await missing.exit() == .exited(78))
            #expect(missing.output.all.first?.contains(#""line":null,"column":null,"message":"cannot be read"#) == true)
        }
    }

    @Test func check_readsStandardInput() async throws {
        try await scene { scene in
            let good = try scene.start([TaplineProcess.binary, "check", "-"], variables: ["LC_ALL": "C.UTF-8"])
            good.write("relays:\n  - { name: web, listen: '127.0.0.1:8080', upstream: 'a:1' }\n")
            good.finishInput()
            #expect(try await good.exit() == .exited(0))
            #expect(good.output.all == ["<stdin>: OK, 1 relay", "  web: 127.0.0.1:8080 → a:1"])
            let bad = try scene.start([TaplineProcess.binary, "check", "-"])
            bad.write("relay: 1\n")
            bad.finishInput()
            #expect(try await bad.exit() == .exited(78))
            #expect(bad.errors.all.first?.hasPrefix("<stdin>:1:1: ") == true)
        }
    }

    @Test func run_takesTheFileAsAnArgument() async throws {
        try await scene { scene in
            let path = try scene.file(
                "t.yaml", "relays:\n  - { name: web, listen: '127.0.0.1:0', upstream: '127.0.0.1:1' }\n")
            let program = try await tapline("run", path, in: scene)
            try await program.errors.line(containing: "web listens on 127.0.0.1:")
            try await program.send(SIGTERM)
            #expect(try await program.exit() == .exited(0))
        }
    }

    /// What says who complains is red on a terminal, and where colours are forced.
    @Test func error_isRed_whereColorsAreOn() async throws {
        try await scene { scene in
            for (variables, line) in [
                (["FORCE_COLOR": "1", "NO_COLOR": ""], "\u{1B}[1;31mtapline:\u{1B}[0m `walk` is not a command"),
                (["FORCE_COLOR": "1", "NO_COLOR": "1"], "tapline: `walk` is not a command"),
                (["FORCE_COLOR": "", "NO_COLOR": ""], "tapline: `walk` is not a command"),
            ] {
                let program = try scene.start([TaplineProcess.binary, "walk"], variables: variables)
                #expect(try await program.exit() == .exited(64))
                #expect(program.errors.all.first == line)
            }
        }
    }

    @Test func help_fitsATerminal_andATerminalOfAnyWidth() async throws {
        try await scene { scene in
            let program = try scene.start([TaplineProcess.binary, "show", "--help"], variables: ["COLUMNS": "80"])
            #expect(try await program.exit() == .exited(0))
            for line in program.output.all { #expect(line.count <= 80, "\(line)") }
        }
    }

    @Test(arguments: ["check", "run"]) func configuration_thatIsMissing_endsWith78(command: String) async throws {
        try await scene { scene in
            let path = scene.path("none.yaml")
            let words = command == "run" ? ["run", "--config", path] : ["check", path]
            let program = try scene.start([TaplineProcess.binary] + words)
            #expect(try await program.exit() == .exited(78))
            #expect(program.errors.all == ["\(path): cannot be read: No such file or directory"])
        }
    }

    /// A folder in its place is an error too.
    @Test func configuration_thatIsAFolder_endsWith78() async throws {
        try await scene { scene in
            let program = try await tapline("run", "--config", scene.folder, in: scene)
            #expect(try await program.exit() == .exited(78))
            #expect(program.errors.all.count == 1 && program.errors.all[0].hasPrefix("\(scene.folder): "))
        }
    }

    @Test func sampleConfiguration_runsAsItIs() async throws {
        try await scene { scene in
            let program = try await tapline("run", "--config", "\(Repository.root)/config/tapline.yaml", in: scene)
            // The sample's port may be in use on this machine; then the error must name it.
            let said = try await program.errors.first { $0.contains(" listens on ") || $0.contains("EADDRINUSE") }[0]
            if said.contains("EADDRINUSE") {
                #expect(try await program.exit() == .exited(71))
            } else {
                #expect(said.hasSuffix(" notice web listens on 127.0.0.1:8080, forwards to example.com:80"))
                try await program.send(SIGTERM)
                #expect(try await program.exit() == .exited(0))
            }
        }
    }

    @Test(.needs("python3")) func port_inUse_endsWith71AndSaysHowToFindTheOwner() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let address = try await puppet.listen("taken")
            let program = try await tapline("forward", "\(address):127.0.0.1:9", in: scene)
            #expect(try await program.exit() == .exited(71))
            let port = address.split(separator: ":")[1]
            let said = program.errors.all.joined()
            #expect(said.contains("cannot listen on \(address)") && said.contains("EADDRINUSE"))
            #expect(said.contains("`ss -ltnp 'sport = :\(port)'` shows which"))
        }
    }

    /// Also detected if the port is another Tapline's, whose sockets share their address with each other.
    @Test func port_ofAnotherTapline_endsWith71() async throws {
        try await scene { scene in
            let other = try await scene.forward("127.0.0.1:0:127.0.0.1:9")
            let program = try await tapline("forward", "\(other.address):127.0.0.1:9", in: scene)
            #expect(try await program.exit() == .exited(71))
            #expect(program.errors.all.joined().contains("EADDRINUSE"))
        }
    }

    @Test(.needs("setpriv"), .needsRoot) func lowPort_asAnOrdinaryUser_endsWith71AndNamesTheCapability() async throws {
        try await scene { scene in
            let binary = try scene.publicBinary()
            let program = try scene.start(Scene.ordinaryUser + [binary, "forward", "127.0.0.1:81:127.0.0.1:9"])
            let ending = try await program.exit()
            #expect(ending == .exited(71))
            let said = program.errors.all.joined()
            #expect(said.contains("127.0.0.1:81") && said.contains("EACCES"))
            #expect(said.contains("CAP_NET_BIND_SERVICE"))
        }
    }

    @Test func demo_once_showsTheConversationAndEndsWith0() async throws {
        try await scene { scene in
            let program = try await tapline("demo", "--once", in: scene)
            #expect(try await program.exit() == .exited(0))
            let said = program.output.all
            #expect(said.contains { $0.contains("3. It sends     \"Hello, server!\" (14 bytes).") })
            #expect(said.contains { $0.contains("4. It receives  \"Hello, server!\" (14 bytes).") })
            let record = try #require(said.first { $0.hasPrefix("time=") })
            #expect(record.contains(" bytes_up=14 bytes_down=14 "))
            #expect(record.contains(" closed_by=client reason=client_closed errno=null "))
        }
    }

    @Test(.needs("nc")) func demo_staysUp_andEndsWithASignal() async throws {
        try await scene { scene in
            let program = try await tapline("demo", in: scene)
            let words = try await program.output.line(containing: "nc -N 127.0.0.1 ").split(separator: " ")
            let port = try #require(words.last)
            let client = try scene.start(["nc", "-N", "127.0.0.1", String(port)])
            client.write("Hello again!\n")
            client.finishInput()
            #expect(try await client.exit() == .exited(0))
            #expect(client.output.all == ["Hello again!"])
            _ = try await program.output.first(2) { $0.hasPrefix("time=") }
            try await program.send(SIGINT)
            #expect(try await program.exit() == .exited(0))
        }
    }
}
