import Foundation
import TestSupport
import Testing

/// Messages to the service manager (`Peers/manager.py`), and the units.
struct ServiceTests {
    private struct Message: Decodable {
        var process: pid_t
        var message: String
    }

    private func messages(_ manager: Program) throws -> [Message] {
        try manager.output.all.filter { $0.contains("\"message\"") }
            .map { try JSONDecoder().decode(Message.self, from: Data($0.utf8)) }
    }

    /// The words that start a service as its manager does: with the process's own ID in the variables.
    private static let asService = ["sh", "-c", #"WATCHDOG_PID=$$ exec "$0" "$@""#]

    private func manager(_ bench: ReloadBench, _ name: String) async throws -> Program {
        let manager = try bench.scene.start(Scene.peer("manager.py") + [name])
        try await manager.output.line(containing: "\"listening\"")
        return manager
    }

    /// Ready, alive, reloading, replaced by another process, stopping: each is reported once, by the process that is
    /// the main one.
    @Test(.needs("python3"), arguments: [true, false])
    func life_ofAService_isReportedToItsManager(isAbstract: Bool) async throws {
        try await reloadScene { bench in
            let name = isAbstract ? "@tapline-\(UUID().uuidString)" : bench.scene.path("notify")
            let manager = try await manager(bench, name)
            try Files.write(bench.start, to: bench.path)
            let variables = ["NOTIFY_SOCKET": name, "WATCHDOG_USEC": "400000"]
            try await bench.lineage(variables: variables, before: Self.asService) { lineage in
                let first = lineage.current
                try await manager.output.line(containing: "READY=1")
                // Its listeners were announced before; it continues to report that it is alive.
                _ = try await manager.output.first(3) { $0.contains("WATCHDOG=1") }
                try await bench.begin(bench.first, "open")
                try await manager.output.line(containing: "STATUS=generation 1: 1 open, 1 accepted; ")

                // In one step: a file that is seen half-written would cause another reload.
                try Files.replace(bench.path, with: bench.text([("web", bench.first)], more: "shutdown: { drain: 9s }"))
                let reloading = try await manager.output.line(containing: "RELOADING=1")
                #expect(reloading.contains(/RELOADING=1\\nMONOTONIC_USEC=\d+/))
                _ = try await manager.output.first(2) { $0.contains("READY=1") }

                try await lineage.upgrade()
                let second = lineage.current
                try await manager.output.line(containing: "MAINPID=\(second)")
                for word in ["READY=1", "WATCHDOG=1"] {
                    _ = try await manager.output.first {
                        $0.contains("\"process\": \(second),") && $0.contains("\"\(word)\"")
                    }
                }
                try await bench.end("open")
                try lineage.send(SIGTERM)
                try await manager.output.line(containing: "STOPPING=1")
                #expect(try await lineage.finish(bench.scene) == "status 0")

                let said = try messages(manager)
                let handover = try #require(said.firstIndex { $0.message == "MAINPID=\(second)" })
                #expect(said[...handover].allSatisfy { $0.process == first })
                let after = said[(handover + 1)...]
                #expect(after.allSatisfy { $0.process == second })
                #expect(after.first?.message == "READY=1")
                // The watchdog's variable named the first process; the second one has taken it over.
                #expect(after.contains { $0.message == "WATCHDOG=1" })
                #expect(said.count { $0.message.hasPrefix("STOPPING=1") } == 1)
            }
        }
    }

    /// A rejected reload also ends, and the status shows it.
    @Test(.needs("python3")) func rejectedReload_isReportedAsOver() async throws {
        try await reloadScene { bench in
            let manager = try await manager(bench, bench.scene.path("notify"))
            try Files.write(bench.start, to: bench.path)
            let program = try bench.scene.start(
                [TaplineProcess.binary, "run", "--config", bench.path],
                variables: ["NOTIFY_SOCKET": bench.scene.path("notify")])
            try await manager.output.line(containing: "STATUS=generation 1: 0 open, 0 accepted\"")
            try Files.write("nonsense", to: bench.path)
            try await manager.output.line(containing: "RELOADING=1")
            _ = try await manager.output.first(2) { $0.contains("READY=1") }
            try await manager.output.line(containing: "the last reload was rejected, see the log")
            // No watchdog was requested.
            #expect(!manager.output.all.contains { $0.contains("WATCHDOG") })
            try await program.send(SIGTERM)
            #expect(try await program.exit() == .exited(0))
        }
    }

    /// A manager that is gone is reported once, and changes nothing else.
    @Test(.needs("python3")) func managerThatIsGone_isSaidOnce() async throws {
        try await reloadScene { bench in
            try Files.write(bench.start, to: bench.path)
            let program = try bench.scene.start(
                [TaplineProcess.binary, "run", "--config", bench.path],
                variables: ["NOTIFY_SOCKET": bench.scene.path("nosuch")])
            try await program.errors.line(containing: "the service manager cannot be notified")
            try await bench.converse(bench.first)
            try await program.send(SIGTERM)
            #expect(try await program.exit() == .exited(0))
            #expect(program.errors.all.count { $0.contains("cannot be notified") } == 1)
        }
    }

    // MARK: Units

    /// The units of the repository, with the path of the program here.
    private func units(_ scene: Scene) throws -> [String] {
        try Files.makeDirectory(scene.path("tapline.service.d"))
        var paths: [String] = []
        for name in ["tapline.service", "tapline.socket"] {
            let text = try UnitFiles.text(name)
            paths.append(
                try scene.file(name, text.replacingOccurrences(of: "/usr/bin/tapline", with: TaplineProcess.binary)))
        }
        let dropIn = try UnitFiles.text("tapline.service.d/notify-reload.conf")
        // systemd 252 does not know the type, and reports it; the rest of the file is checked anyway.
        _ = try scene.file("tapline.service.d/notify-reload.conf", dropIn)
        return paths
    }

    @Test(.needs("systemd-analyze")) func units_areInOrder() async throws {
        try await scene { scene in
            let paths = try units(scene)
            let program = try scene.start(["systemd-analyze", "verify", "--man=no"] + paths)
            let ending = try await program.exit()
            let version = try await scene.run("systemd-analyze", "--version").firstMatch(of: /systemd (\d+)/)
            let isOld = (version.flatMap { Int($0.1) } ?? 0) < 253
            let said = (program.output.all + program.errors.all).filter {
                !(isOld && $0.contains("Failed to parse service type, ignoring: notify-reload"))
            }
            #expect(said == [], "\(said)")
            #expect(ending == .exited(0))
        }
    }

    /// 0 is no exposure, 10 everything that root may do. What remains is the network, which is its purpose, and the
    /// capability for ports under 1024.
    @Test(.needs("systemd-analyze")) func sandbox_isTight() async throws {
        try await scene { scene in
            let unit = try units(scene)[0]
            let said = try await scene.run(
                "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=18", unit)
            #expect(said.contains("Overall exposure level for tapline.service"))
        }
    }
}
