import Foundation
import TestSupport
import Testing

/// `--exec` and `--idle-stop`, with real programs.
struct ExecTests {
    @Test(.needs("curl", "python3")) func command_startsOnce_forManyClients_andEndsWithTapline() async throws {
        try await scene { scene in
            let port = try scene.freePort()
            _ = try scene.file("answer", "it is up\n")
            let tapline = try await scene.forward(
                "127.0.0.1:0:127.0.0.1:\(port)", options: ["--exec", scene.httpServer(on: port), "--wait", "5m"])
            #expect(StartedCommand.count(of: tapline) == 0)
            try await withThrowingTaskGroup { group in
                for _ in 0..<20 { group.addTask { try await scene.fetch("answer", through: tapline) } }
                for try await answer in group { #expect(answer == "it is up") }
            }
            let process = try await StartedCommand.processes(1, of: tapline)[0]
            #expect(StartedCommand.isAlive(group: process))
            // Its output is passed on unchanged.
            try await tapline.program.errors.line(containing: "\"GET /answer HTTP/1.1\" 200 -")
            let records = try await tapline.stop()
            #expect(records.count == 20 && records.allSatisfy { $0.bytesDown > 0 })
            #expect(StartedCommand.count(of: tapline) == 1)
            try await StartedCommand.awaitEnd(ofGroup: process, in: scene)
        }
    }

    /// Standard output is for the records, and the command inherits no descriptor of Tapline.
    @Test(.needs("python3")) func command_hasNoInput_writesToStandardError_andInheritsNothing() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let script =
                "echo this is output; for fd in /proc/$$/fd/*; do [ -e $fd ] && echo has ${fd##*/}; done; "
                + "cat; echo listed; exec sleep 600"
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try PeerListener.refusingAddress())", options: ["--exec", script])
            try await puppet.connect("client", to: tapline.address)
            try await StartedCommand.said("this is output", tapline)
            try await StartedCommand.said("listed", tapline)
            #expect(tapline.program.errors.all.filter { $0.hasPrefix("has ") } == ["has 0", "has 1", "has 2"])
            try await tapline.stop()
        }
    }

    @Test(.needs("python3")) func command_thatFailsAtOnce_isTriedThreeTimes_andTheClientIsRefused() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try PeerListener.refusingAddress())", options: ["--exec", "exit 3", "--wait", "10m"])
            try await puppet.connect("client", to: tapline.address)
            #expect(try await puppet.receiveToEnd("client").end == "reset")
            #expect(try await tapline.records()[0].reason == "connect_refused")
            try await tapline.program.errors.line(
                containing: "the --exec command ended 3 times before the upstream was up: 1 waiting client refused")
            #expect(StartedCommand.count(of: tapline) == 3)
            let ends = tapline.program.errors.all.count { $0.contains("exit 3 (pid ") && $0.contains("with status 3") }
            #expect(ends == 3)
            try await tapline.stop()
        }
    }

    @Test(.needs("curl", "python3")) func command_thatIsKilled_startsAgainForTheNextClient() async throws {
        try await scene { scene in
            let port = try scene.freePort()
            _ = try scene.file("answer", "it is up\n")
            let tapline = try await scene.forward(
                "127.0.0.1:0:127.0.0.1:\(port)", options: ["--exec", scene.httpServer(on: port), "--wait", "5m"])
            #expect(try await scene.fetch("answer", through: tapline) == "it is up")
            let process = try await StartedCommand.processes(1, of: tapline)[0]
            kill(process, SIGKILL)
            try await tapline.program.errors.line(containing: "was killed by signal 9")
            #expect(try await scene.fetch("answer", through: tapline) == "it is up")
            #expect(try await StartedCommand.processes(2, of: tapline)[1] != process)
            try await tapline.stop()
        }
    }

    @Test(.needs("curl", "python3")) func idleStop_endsTheCommand_andTheNextClientStartsItAgain() async throws {
        try await scene { scene in
            let port = try scene.freePort()
            _ = try scene.file("answer", "it is up\n")
            let tapline = try await scene.forward(
                "127.0.0.1:0:127.0.0.1:\(port)",
                options: ["--exec", scene.httpServer(on: port), "--wait", "5m", "--idle-stop", "200ms"])
            for round in 1...2 {
                #expect(try await scene.fetch("answer", through: tapline) == "it is up")
                let process = try await StartedCommand.processes(round, of: tapline)[round - 1]
                _ = try await tapline.program.errors.first(round) { $0.contains("no connection for 200ms; stopping ") }
                try await scene.eventually("the command is gone") { !StartedCommand.isAlive(group: process) }
            }
            #expect(StartedCommand.count(of: tapline) == 2)
            try await tapline.stop()
        }
    }

    /// The leader ignores SIGTERM, and so does a process in the background.
    @Test(.needs("python3")) func command_thatIgnoresSIGTERM_isKilled_withItsGroup() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let script = "trap '' TERM; sleep 600 & echo ready; while :; do sleep 600; done"
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try PeerListener.refusingAddress())", options: ["--exec", script])
            try await puppet.connect("client", to: tapline.address)
            try await StartedCommand.said("ready", tapline)
            let process = try await StartedCommand.processes(1, of: tapline)[0]
            try await tapline.stop()
            try await tapline.program.errors.line(containing: "did not exit on SIGTERM and was killed")
            try await StartedCommand.awaitEnd(ofGroup: process, in: scene)
        }
    }

    @Test(.needs("python3")) func signalDuringTheCommandsEnd_killsIt() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let script = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.1; done"
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try PeerListener.refusingAddress())", options: ["--exec", script, "--wait", "10m"])
            try await puppet.connect("client", to: tapline.address)
            try await StartedCommand.said("ready", tapline)
            let process = try await StartedCommand.processes(1, of: tapline)[0]
            try await tapline.program.send(SIGINT)
            try await tapline.program.errors.line(containing: "1 open, waiting")
            try await tapline.program.send(SIGINT)
            try await StartedCommand.said("asked", tapline)
            try await tapline.program.send(SIGINT)
            #expect(try await tapline.program.exit() == .exited(0))
            try await StartedCommand.awaitEnd(ofGroup: process, in: scene)
            #expect(try tapline.recordsSoFar.map(\.reason) == ["drained"])
        }
    }

    @Test(.needs("python3")) func taplineThatIsKilled_takesTheCommandWithIt() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try PeerListener.refusingAddress())",
                options: ["--exec", "sleep 600 & echo ready; wait"])
            try await puppet.connect("client", to: tapline.address)
            try await StartedCommand.said("ready", tapline)
            let process = try await StartedCommand.processes(1, of: tapline)[0]
            kill(tapline.pid, SIGKILL)
            try await scene.eventually("the command is gone") { !StartedCommand.isAlive(group: process) }
        }
    }

    @Test(.needs("python3")) func upgrade_isRefused_andTheCommandContinues() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try PeerListener.refusingAddress())", options: ["--exec", "echo ready; exec sleep 600"])
            try await puppet.connect("client", to: tapline.address)
            try await StartedCommand.said("ready", tapline)
            try await tapline.program.send(SIGUSR2)
            try await tapline.program.errors.line(
                containing: "upgrade refused: the --exec command is a child of this process")
            let process = try await StartedCommand.processes(1, of: tapline)[0]
            #expect(StartedCommand.isAlive(group: process))
            try await tapline.stop()
            try await StartedCommand.awaitEnd(ofGroup: process, in: scene)
        }
    }
}
