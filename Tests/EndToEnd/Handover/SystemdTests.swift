import Foundation
import TestSupport
import Testing

/// The units under systemd: activated, reloaded, upgraded, watched and stopped.
struct SystemdTests {
    /// The final report of the clients of `Peers/storm.py`.
    private struct Report: Decodable {
        var troubles: [String]
        var connections: Int
    }

    /// The unit of the repository, without what a user's manager cannot do, what would hide the test's files, and
    /// mounts that a nested machine may refuse.
    private func service(_ bench: ReloadBench) throws -> String {
        let absent = [
            "DynamicUser=", "User=", "PrivateTmp=", "ProtectHome=", "ProtectKernelTunables=", "ProtectKernelLogs=",
        ]
        let lines = try UnitFiles.text("tapline.service").split(separator: "\n", omittingEmptySubsequences: false)
        let kept = lines.filter { line in !absent.contains { line.hasPrefix($0) } }
        return kept.joined(separator: "\n")
            .replacingOccurrences(of: "/usr/bin/tapline", with: bench.binaryPath)
            .replacingOccurrences(of: "/etc/tapline/tapline.yaml", with: bench.path)
            // On a busy machine a healthy process may be silent for seconds.
            .replacingOccurrences(of: "WatchdogSec=30s", with: "WatchdogSec=20s")
            .replacingOccurrences(
                of: "Type=notify",
                with: "Type=notify\nStandardOutput=append:\(log(bench))\nStandardError=append:\(log(bench))")
    }

    private func log(_ bench: ReloadBench) -> String { bench.scene.path("log") }

    /// The lines of the log, each of which is read once: the crowd makes a thousand a second and does not wait for this
    /// test, so that reading all of them again for each question would take longer and longer.
    private final class LogLines {
        private(set) var records: [EndRecord] = []
        private(set) var others: [String] = []
        private let path: String
        private var offset: UInt64 = 0
        private var rest = Data()

        init(_ path: String) {
            self.path = path
        }

        /// Reads what has been written since; the last line may be just being written.
        func read() throws {
            guard let file = FileHandle(forReadingAtPath: path) else { return }
            defer { try? file.close() }
            try file.seek(toOffset: offset)
            guard let new = try file.readToEnd(), !new.isEmpty else { return }
            offset += UInt64(new.count)
            rest += new
            guard let end = rest.lastIndex(of: UInt8(ascii: "\n")) else { return }
            for line in rest[..<end].split(separator: UInt8(ascii: "\n")) {
                let text = String(decoding: line, as: UTF8.self)
                if EndRecord.isRecord(text) { records.append(try EndRecord(json: text)) } else { others.append(text) }
            }
            rest = Data(rest[(end + 1)...])
        }

        /// Whether there is a line with this text that is no end record.
        func contains(_ text: String) throws -> Bool {
            try read()
            return others.contains { $0.contains(text) }
        }

        /// The end records of the crowd's connections so far.
        func ofCrowd() throws -> [EndRecord] {
            try read()
            return records.filter { $0.relay == "web" }
        }
    }

    /// Relays on the socket that systemd opens and on one of Tapline's own; a number that a reload changes.
    private func text(_ bench: ReloadBench, _ upstream: String, _ number: Int) -> String {
        """
        log: { format: json }
        shutdown: { drain: 5s }
        relays:
          - { name: web, listen: '\(bench.first)', upstream: '\(upstream)', max_connections: \(number) }
          - { name: own, listen: '\(bench.second)', upstream: '\(bench.upstream)' }

        """
    }

    private func process(_ manager: UserManager) async throws -> pid_t {
        pid_t(try await manager.property("MainPID", of: "tapline.service")) ?? 0
    }

    @Test(.needs("python3", "systemd-analyze", "unshare"), .needsSystemd)
    func service_underLoad_isActivatedReloadedUpgradedAndStopped_withoutARefusedClient() async throws {
        try await reloadScene(.heavy) { bench in
            let crowd = try bench.scene.start(Scene.peer("storm.py"))
            let upstream = try await bench.scene.listening(crowd)
            try Files.write(text(bench, upstream, 1000), to: bench.path)
            try Files.makeDirectory(bench.scene.path("bin"))
            let log = LogLines(log(bench))
            try await bench.installBinary()
            try await bench.scene.userManager { manager in
                try manager.install("tapline.service", try service(bench))
                try manager.install("tapline.socket", "[Socket]\nListenStream=\(bench.first)\nBacklog=4096\n")
                try await manager.ctl("daemon-reload")
                try await manager.ctl("start", "tapline.socket")
                // The first of them starts the service, and all wait for it.
                crowd.write("\(bench.first) 16\n")
                try await bench.scene.eventually("it is active") {
                    try await manager.property("ActiveState", of: "tapline.service") == "active"
                }
                try await bench.converse(bench.second)

                try Files.write(text(bench, upstream, 1001), to: bench.path)
                try await manager.ctl("reload", "tapline.service")
                try await bench.scene.eventually("the status tells") {
                    try await manager.property("StatusText", of: "tapline.service").hasPrefix("generation 2: ")
                }
                for _ in 1...3 {
                    let old = try await process(manager)
                    try await bench.installBinary()
                    try await manager.ctl("kill", "--kill-who=main", "--signal=USR2", "tapline.service")
                    try await bench.scene.eventually("another process is the service") {
                        try await process(manager) != old
                    }
                    // The manager is notified first. Until the process itself is, it refuses another upgrade.
                    try await bench.scene.eventually("it has taken over") {
                        try log.contains(" took over from process \(old), which lets")
                    }
                    try await bench.converse(bench.second)
                }
                crowd.write("over\n")
                let said = try await crowd.output.line(containing: "\"done\"", within: .seconds(120))
                let report = try JSONDecoder().decode(Report.self, from: Data(said.utf8))
                #expect(report.troubles == [])
                // A process that is killed by the watchdog writes nothing more.
                try await bench.scene.eventually("every record is written") {
                    try log.ofCrowd().count >= report.connections
                }

                // It hangs, and is killed and restarted, with the same socket.
                let hanging = try await process(manager)
                #expect(hanging > 1 && kill(hanging, SIGSTOP) == 0)
                try await bench.scene.eventually("the watchdog bites", within: .seconds(120)) {
                    let isOther = try await ![0, hanging].contains(process(manager))
                    let state = try await manager.property("ActiveState", of: "tapline.service")
                    return isOther && state == "active"
                }
                #expect(try await manager.property("NRestarts", of: "tapline.service") == "1")
                try await bench.converse(bench.second)

                try await manager.ctl("stop", "tapline.socket", "tapline.service")
                #expect(try await manager.property("Result", of: "tapline.service") == "success")
                try await bench.puppet.awaitRefusal(bench.first)

                // Every line is complete, whichever process wrote it, and every connection of the crowd has one.
                let own = try log.ofCrowd()
                #expect(own.count == report.connections && report.connections > 100)
                #expect(own.allSatisfy { $0.reason == "client_closed" })
                #expect(log.others.count { $0.contains(" took over from process ") } == 3)
            }
        }
    }
}

/// The units of the repository.
enum UnitFiles {
    /// A file of `config/systemd`.
    static func text(_ name: String) throws -> String { try Repository.text("config/systemd/\(name)") }
}
