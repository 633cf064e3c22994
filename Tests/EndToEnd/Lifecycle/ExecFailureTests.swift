import Foundation
import TestSupport
import Testing

/// Commands of `--exec` that end too early, and what they leave behind.
struct ExecFailureTests {
    /// A forward to an address where nothing listens.
    private func forward(
        _ scene: Scene, _ command: String, options: [String] = ["--wait", "10m"], before: [String] = []
    ) async throws -> TaplineProcess {
        try await scene.forward(
            "127.0.0.1:0:\(try PeerListener.refusingAddress())", options: ["--exec", command] + options, before: before)
    }

    /// Status 0 does not bring the upstream up.
    @Test(.needs("python3")) func command_thatEndsWithStatus0_isStartedAgainForTheClient_andThenGivenUp() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await forward(scene, "exit 0")
            try await puppet.connect("client", to: tapline.address)
            try await tapline.program.errors.line(
                containing: "restarting exit 0 in 1s: 1 client held")
            try await tapline.program.errors.line(containing: "restarting exit 0 in 2s: 1 client held")
            #expect(try await puppet.receiveToEnd("client").end == "reset")
            #expect(try await tapline.records()[0].reason == "connect_refused")
            try await tapline.program.errors.line(
                containing: "the --exec command ended 3 times before the upstream was up: 1 waiting client refused")
            #expect(StartedCommand.count(of: tapline) == 3)
            let ends = tapline.program.errors.all.count { $0.contains("exit 0 (pid ") && $0.contains("with status 0") }
            #expect(ends == 3)
            try await tapline.stop()
        }
    }

    /// One that serves a single client and ends was up each time: it is not given up.
    @Test(.needs("python3")) func command_thatServesOneClientAndEnds_isStartedForEachOfThem() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let port = try scene.freePort()
            let program = try scene.file(
                "once.py",
                """
                import socket
                listener = socket.create_server(("127.0.0.1", \(port)))
                client, _ = listener.accept()
                listener.close()
                client.sendall(b"served")
                client.close()
                """)
            let tapline = try await scene.forward(
                "127.0.0.1:0:127.0.0.1:\(port)",
                options: ["--exec", "exec \(Programs.path("python3") ?? "python3") \(program)", "--wait", "10m"])
            for number in 0..<5 {
                try await puppet.connect("\(number)", to: tapline.address)
                #expect(try await puppet.receiveToEnd("\(number)").text == "served")
                try await puppet.close("\(number)")
            }
            #expect(try await tapline.records(5).allSatisfy { $0.reason == "upstream_closed" })
            #expect(StartedCommand.count(of: tapline) == 5)
            try await tapline.stop()
        }
    }

    /// The upstream is what it put into the background; it ends with Tapline.
    @Test(.needs("curl", "python3")) func command_thatPutsTheUpstreamIntoTheBackground_isUp() async throws {
        try await scene { scene in
            let port = try scene.freePort()
            _ = try scene.file("answer", "it is up\n")
            let server = scene.httpServer(on: port).replacingOccurrences(of: "exec ", with: "")
            let tapline = try await scene.forward(
                "127.0.0.1:0:127.0.0.1:\(port)", options: ["--exec", "\(server) & exit 0", "--wait", "5m"])
            #expect(try await scene.fetch("answer", through: tapline) == "it is up")
            let process = try await StartedCommand.processes(1, of: tapline)[0]
            try await tapline.program.errors.line(containing: "are still running; Tapline stops them when it exits")
            #expect(StartedCommand.isAlive(group: process))
            #expect(StartedCommand.count(of: tapline) == 1)
            kill(-process, SIGKILL)
            try await tapline.program.errors.line(containing: ") started have ended")
            #expect(try await scene.fetch("answer", through: tapline) == "it is up")
            let second = try await StartedCommand.processes(2, of: tapline)[1]
            try await tapline.stop()
            try await StartedCommand.awaitEnd(ofGroup: second, in: scene)
        }
    }

    /// A command that fails, and leaves a process that ignores SIGTERM.
    private static let leaver = "trap '' TERM; sleep 600 & echo left $!; exit 3"

    @Test(.needs("python3")) func processes_thatAFailedCommandLeft_areKilledBeforeItIsStartedAgain() async throws {
        try await scene(.waiting) { scene in
            let puppet = try scene.puppet()
            let tapline = try await forward(scene, Self.leaver)
            try await puppet.connect("client", to: tapline.address)
            let first = try await StartedCommand.processes(1, of: tapline)[0]
            try await tapline.program.errors.line(
                containing: "stopping the processes that \(Self.leaver) (pid \(first))")
            try await tapline.program.errors.line(
                containing: "\(Self.leaver) (pid \(first)) left running did not exit on SIGTERM and were killed")
            try await scene.eventually("it is gone") { !StartedCommand.isAlive(group: first) }
            let second = try await StartedCommand.processes(2, of: tapline)[1]
            _ = try await tapline.program.errors.first(2) { $0.hasPrefix("left ") }
            // Tapline ends while the second one's process is left: after the drain's bound it is killed.
            try await tapline.program.send(SIGTERM)
            try await tapline.program.send(SIGTERM)
            #expect(try await tapline.program.exit() == .exited(0))
            try await StartedCommand.awaitEnd(ofGroup: second, in: scene)
        }
    }

    @Test(.needs("python3")) func processes_thatAFailedCommandLeft_areKilled_whenTaplineIs() async throws {
        try await scene(.waiting) { scene in
            let puppet = try scene.puppet()
            let tapline = try await forward(scene, Self.leaver)
            try await puppet.connect("client", to: tapline.address)
            let process = try await StartedCommand.processes(1, of: tapline)[0]
            try await tapline.program.errors.line(containing: "stopping the processes that ")
            kill(tapline.pid, SIGKILL)
            _ = try await tapline.program.exit()
            try await scene.eventually("it is gone") { !StartedCommand.isAlive(group: process) }
        }
    }

    /// Process 1 of a container becomes the parent of what a command leaves, and has to reap it to know that it has
    /// ended.
    @Test(.needs("python3", "unshare"), .needsNetworkNamespace)
    func processes_thatAFailedCommandLeft_areReapedByProcessOne() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await forward(
                scene, "sleep 600 & exit 3", before: ["unshare", "--pid", "--fork", "--kill-child"])
            try await puppet.connect("client", to: tapline.address)
            #expect(try await puppet.receiveToEnd("client").end == "reset")
            #expect(StartedCommand.count(of: tapline) == 3)
            #expect(!tapline.program.errors.all.contains { $0.contains("did not exit on SIGTERM") })
        }
    }

    @Test(.needs("python3")) func why_ofARefusedClient_namesTheRunsOfTheCommand() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let admin = "unix:\(scene.path("admin.sock"))"
            let tapline = try await forward(scene, "exit 3", options: ["--wait", "10m", "--admin", admin])
            try await puppet.connect("client", to: tapline.address)
            func why() async throws -> String {
                try await scene.run(TaplineProcess.binary, "why", "1", "--admin", admin)
                    .split(whereSeparator: \.isWhitespace).joined(separator: " ")
            }
            try await scene.eventually("the runs so far are named") {
                try await why().contains("While the client waited, Tapline ran the --exec command (exit 3) ")
            }
            #expect(try await puppet.receiveToEnd("client").end == "reset")
            _ = try await tapline.records()
            try await scene.eventually("the end is explained") {
                try await why().contains(
                    "ran the --exec command (exit 3) 3 times: it exited with status 3 each time. The upstream "
                        + "did not come up because its command ended")
            }
            #expect(try await !why().contains("ss -ltn"))
            try await tapline.stop()
        }
    }
}
