import Foundation
import TestSupport
import Testing

/// Sockets that a service manager has opened: `systemd-socket-activate` passes them on as systemd does.
struct ActivationTests {
    /// A configuration with a number of workers.
    private func configuration(_ bench: ReloadBench, _ relays: [(String, String)], workers: Int = 3) throws {
        try Files.write(bench.text(relays, more: "workers: \(workers)"), to: bench.path)
    }

    /// Starts Tapline when a client connects, with these sockets.
    private func activate(_ bench: ReloadBench, _ sockets: [String], options: [String] = []) throws -> Program {
        let listen = sockets.flatMap { ["--listen", $0] }
        return try bench.scene.start(
            ["systemd-socket-activate"] + options + listen + [TaplineProcess.binary, "run", "--config", bench.path])
    }

    @Test(.needs("python3", "systemd-socket-activate"))
    func sockets_areKnownByTheirAddresses_andTheRestIsBound() async throws {
        try await reloadScene { bench in
            let path = bench.scene.path("activated.sock")
            try configuration(bench, [("web", bench.first), ("local", "unix:\(path)"), ("own", bench.second)])
            let program = try activate(bench, [bench.first, path])
            try await program.errors.line(containing: "Listening on \(path) as 4")
            // The client that causes the start waits in the queue.
            try await bench.begin(bench.first, "first")
            try await program.errors.line(containing: "own listens on \(bench.second)")
            try await bench.end("first")
            for _ in 0..<20 {
                for address in [bench.first, "unix:\(path)", bench.second] { try await bench.converse(address) }
            }
            // A reload does not change them, whatever relay they belong to by then.
            try configuration(bench, [("site", bench.first), ("local", "unix:\(path)"), ("own", bench.second)])
            try await program.errors.line(containing: "reloaded: renamed")
            for address in [bench.first, "unix:\(path)"] { try await bench.converse(address) }
            try await program.send(SIGTERM)
            #expect(try await program.exit() == .exited(0))
            // Its file belongs to the manager.
            #expect(FileManager.default.fileExists(atPath: path))
        }
    }

    @Test(.needs("python3", "systemd-socket-activate"))
    func socket_isAssignedByItsName_inAdditionToTheRelaysOwn() async throws {
        try await reloadScene { bench in
            let third = bench.first.replacingOccurrences(of: "127.0.77.1", with: "127.0.77.3")
            try configuration(bench, [("web", bench.first), ("other", bench.second)])
            let program = try activate(bench, [third], options: ["--fdname", "other"])
            try await program.errors.line(containing: "Listening on \(third) as 3")
            try await bench.begin(third, "first")
            try await program.errors.line(containing: "other listens on \(third)")
            try await bench.end("first")
            for address in [bench.first, bench.second, third] { try await bench.converse(address) }
            // It stays as long as the relay does.
            try Files.write(bench.text([("other", bench.second)], more: "workers: 3"), to: bench.path)
            try await bench.reloadedLine(program)
            for address in [bench.second, third] { try await bench.converse(address) }
        }
    }

    /// `ListenStream=8080` makes one socket for both families.
    @Test(.needs("python3", "systemd-socket-activate")) func socketOfBothFamilies_isEveryInterface() async throws {
        try await reloadScene { bench in
            let port = bench.first.split(separator: ":")[1]
            try configuration(bench, [("web", "*:\(port)")])
            let program = try activate(bench, ["[::]:\(port)"])
            try await program.errors.line(containing: " as 3")
            try await bench.begin("127.0.77.9:\(port)", "IPv4")
            try await bench.converse("[::1]:\(port)")
            try await bench.end("IPv4")
            // Nothing has changed for it.
            try await program.send(SIGHUP)
            try configuration(bench, [("web", "*:\(port)"), ("other", "unix:\(bench.scene.path("other.sock"))")])
            try await program.errors.line(containing: "reloaded: added relay other")
            // One socket: it was announced once.
            #expect(program.errors.all.count { $0.contains("web listens on ") } == 1)
            try await bench.converse("127.0.77.9:\(port)")
        }
    }

    @Test(
        .needs("python3", "systemd-socket-activate"),
        arguments: [
            ([], "no relay listens there; give a relay that address in `listen`"),
            (["--seqpacket"], "was passed to Tapline and is not a stream socket"),
            (["--accept"], "was passed to Tapline and is a socket that does not listen"),
        ])
    func socket_thatCannotBeServed_isAnError(options: [String], message: String) async throws {
        try await reloadScene { bench in
            try configuration(bench, [("web", bench.first)])
            let path = bench.scene.path("stray.sock")
            let program = try activate(bench, [path], options: options)
            try await program.errors.line(containing: "Listening on \(path) as 3")
            // The puppet does not support SOCK_SEQPACKET.
            let kind = options == ["--seqpacket"] ? "SOCK_SEQPACKET" : "SOCK_STREAM"
            _ = try await bench.scene.run(
                "python3", "-c",
                "import socket, sys; socket.socket(socket.AF_UNIX, socket.\(kind)).connect(sys.argv[1])",
                path)
            let said = try await program.errors.line(containing: message)
            #expect(said.contains("descriptor 3 (`"), "\(said)")
            if options != ["--accept"] { #expect(try await program.exit() == .exited(78)) }
        }
    }

    /// The socket is not shut down, and clients that connect while no Tapline runs are served by the next one.
    @Test(.needs("python3")) func socket_outlivesTapline_withTheClientsInItsQueue() async throws {
        try await reloadScene { bench in
            try configuration(bench, [("web", bench.first)])
            let manager = try bench.scene.start(
                Scene.peer("activator.py") + [
                    "web=\(bench.first)", "--", TaplineProcess.binary, "run", "--config", bench.path,
                ])
            try await manager.output.line(containing: "\"listening\"")
            var open: [String] = []
            for round in 1...3 {
                let name = "client \(round)"
                try await bench.puppet.connect(name, to: bench.first)
                open.append(name)
                manager.write("\n")
                let started = try await manager.output.first(round) { $0.contains("\"started\"") }[round - 1]
                let pid = try #require(started.firstMatch(of: /\d+/).flatMap { pid_t($0.0) })
                try await bench.puppet.accept(name + "'", from: "upstream")
                try await bench.exchange(name)
                try await bench.end(name)
                kill(pid, SIGTERM)
                let ended = try await manager.output.first(round) { $0.contains("\"ended\"") }[round - 1]
                #expect(ended.contains("\"status\": 0"))
            }
        }
    }

    /// A client that waits because the relay is at its limit does not belong to the Tapline that stops.
    @Test(.needs("python3")) func client_thatWaitsAtAStop_isServedByTheNextOne() async throws {
        try await reloadScene { bench in
            try Files.write(
                """
                log: { format: json }
                workers: 1
                relays:
                  - { name: web, listen: '\(bench.first)', upstream: '\(bench.upstream)', max_connections: 1 }

                """, to: bench.path)
            let manager = try bench.scene.start(
                Scene.peer("activator.py") + [
                    "web=\(bench.first)", "--", TaplineProcess.binary, "run", "--config", bench.path,
                ])
            try await manager.output.line(containing: "\"listening\"")
            manager.write("\n")
            let started = try await manager.output.line(containing: "\"started\"")
            let pid = try #require(started.firstMatch(of: /\d+/).flatMap { pid_t($0.0) })
            try await bench.begin(bench.first, "open")
            try await bench.puppet.connect("waiting", to: bench.first)
            try await bench.puppet.send("waiting", "question")
            try await manager.errors.line(containing: "accepting is paused; clients wait")
            kill(pid, SIGTERM)
            try await manager.errors.line(containing: "1 open, waiting up to 25s")
            try await bench.end("open")
            let ended = try await manager.output.line(containing: "\"ended\"")
            #expect(ended.contains("\"status\": 0"))
            // No process serves now, and the client still waits.
            try await bench.puppet.connect("later", to: bench.first)
            manager.write("\n")
            try await bench.puppet.accept("waiting'", from: "upstream")
            try await bench.puppet.receive("waiting'", count: 8)
            try await bench.exchange("waiting")
            try await bench.end("waiting")
            try await bench.puppet.accept("later'", from: "upstream")
            try await bench.exchange("later")
            try await bench.end("later")
        }
    }

    /// The service manager's variables for the first process are not passed to the one that replaces it, and the
    /// sockets remain the manager's.
    @Test(.needs("python3")) func upgrade_ofAnActivatedTapline_leavesTheVariablesBehind() async throws {
        try await reloadScene { bench in
            try configuration(bench, [("web", bench.first)])
            let manager = try bench.scene.start(
                Scene.peer("activator.py") + [
                    "web=\(bench.first)", "--", TaplineProcess.binary, "run", "--config", bench.path,
                ])
            try await manager.output.line(containing: "\"listening\"")
            manager.write("\n")
            let started = try await manager.output.line(containing: "\"started\"")
            let old = try #require(started.firstMatch(of: /\d+/).flatMap { pid_t($0.0) })
            try await bench.begin(bench.first, "open")
            kill(old, SIGUSR2)
            let said = try await manager.errors.line(containing: " took over from process \(old)")
            let new = try #require(said.firstMatch(of: /"process":(\d+)/).flatMap { pid_t($0.1) })
            defer { _ = kill(new, SIGKILL) }
            let variables = try String(contentsOfFile: "/proc/\(new)/environ", encoding: .utf8).split(separator: "\0")
            #expect(!variables.contains { $0.hasPrefix("LISTEN_") }, "\(variables)")
            #expect(variables.contains { $0.hasPrefix("TAPLINE_HANDOVER=\(old) ") })
            try await bench.end("open")
            let ended = try await manager.output.line(containing: "\"ended\"")
            #expect(ended.contains("\"status\": 0"))
            try await bench.converse(bench.first)
            kill(new, SIGTERM)
            try await bench.scene.eventually("it ends") { !Lineage.isRunning(new) }

            try await bench.puppet.connect("waiting", to: bench.first)
            manager.write("\n")
            try await bench.puppet.accept("waiting'", from: "upstream")
            try await bench.exchange("waiting")
            try await bench.end("waiting")
        }
    }

    /// A relay that is added again gets the socket that the manager has kept.
    @Test(.needs("python3")) func relay_thatComesBack_getsItsSocketAgain() async throws {
        try await reloadScene { bench in
            try configuration(bench, [("web", bench.first), ("other", bench.second)])
            let manager = try bench.scene.start(
                Scene.peer("activator.py") + [
                    "x=\(bench.first)", "--", TaplineProcess.binary, "run", "--config", bench.path,
                ])
            manager.write("\n")
            try await manager.errors.line(containing: "other listens on")
            try await bench.converse(bench.first)
            try configuration(bench, [("other", bench.second)])
            try await manager.errors.line(
                containing: "no relay listens on \(bench.first) any more, but the service manager does")
            try await bench.puppet.connect("waiting", to: bench.first)
            try configuration(bench, [("back", bench.first), ("other", bench.second)])
            try await bench.puppet.accept("waiting'", from: "upstream")
            try await bench.exchange("waiting")
            try await bench.end("waiting")
        }
    }
}

extension ReloadBench {
    /// Waits for the first reload.
    fileprivate func reloadedLine(_ program: Program) async throws {
        try await program.errors.line(containing: "reloaded: ")
    }
}
