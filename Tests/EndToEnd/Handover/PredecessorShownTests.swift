import Foundation
import TestSupport
import Testing

/// The API and the client commands show the processes before an upgrade.
struct PredecessorShownTests {
    private func play(
        more: String = "", _ play: (ReloadBench, Lineage, AdminClient) async throws -> Void
    ) async throws {
        try await reloadScene { bench in
            let address = "unix:\(bench.scene.path("admin.sock"))"
            try Files.write(
                bench.text([("web", bench.first)], more: "admin: { listen: '\(address)' }\n\(more)"), to: bench.path)
            try await bench.lineage { lineage in
                try await lineage.errors.line(containing: "the admin API answers on")
                try await play(bench, lineage, AdminClient(scene: bench.scene, address: address))
            }
        }
    }

    /// Upgrades, and waits until the new process answers: the old one may do so for a moment longer.
    private func upgrade(_ lineage: Lineage, _ admin: AdminClient, isAsked: Bool = false) async throws {
        try await lineage.upgrade(isAsked: isAsked)
        try await admin.await("the new one answers", "/v1/status") {
            try $0.json["pid"]?.number == Int(lineage.current) ? true : nil
        }
    }

    /// The ID of the only connection of a process; null is the current one.
    private func id(_ admin: AdminClient, in process: pid_t?) async throws -> Int {
        try await admin.await("a connection of \(process.map(String.init) ?? "the current process")", "/v1/connections")
        {
            try $0.json["connections"]?.list.first { $0["process"]?.number == process.map(Int.init) }?["id"]?.number
        }
    }

    private func tapline(_ admin: AdminClient, _ words: String...) async throws -> String {
        try await admin.scene.run([TaplineProcess.binary] + words + ["--admin", admin.address])
    }

    /// Connections of the previous process and of the one before it are listed, explained and killed like others.
    @Test(.needs("python3", "curl")) func connections_ofBothPredecessors_areListedExplainedAndKilled() async throws {
        try await play { bench, lineage, admin in
            try await bench.begin(bench.first, "a")
            try await upgrade(lineage, admin)
            try await bench.begin(bench.first, "b")
            try await upgrade(lineage, admin)
            try await bench.begin(bench.first, "c")
            let (old, older) = (lineage.past[1], lineage.past[0])
            let ids = [try await id(admin, in: older), try await id(admin, in: old), try await id(admin, in: nil)]
            #expect(ids == ids.sorted() && Set(ids).count == 3)
            let status = try await admin.ask("GET", "/v1/status").json
            let shown = status["predecessors"]?.list ?? []
            #expect(shown.map { $0["pid"]?.number } == [Int(older), Int(old)])
            #expect(shown.allSatisfy { $0["open_connections"]?.number == 1 && $0["trouble"] == .null })
            #expect(shown.allSatisfy { (1...600_000).contains($0["ends_within_ms"]?.number ?? 0) })
            let metrics = try await admin.ask("GET", "/metrics").body
            #expect(metrics.contains("tapline_predecessor_connections_open{process=\"\(older)\"} 1"))

            let screen = try await tapline(admin, "status")
            #expect(screen.contains("predecessor    \(older): 1 connection left, up to "))
            let list = try await tapline(admin, "connections")
            #expect(list.contains("open in \(older)") && list.contains("open in \(old)"))
            let why = try await tapline(admin, "why", "\(ids[0])")
            #expect(why.contains("in process \(older) (before the upgrade)"))

            for (number, name) in ["a", "b"].enumerated() {
                #expect(try await tapline(admin, "kill", "\(ids[number])").hasPrefix("killed \(ids[number]) of web"))
                #expect(try await bench.puppet.receiveToEnd(name).end == "reset")
            }
            // Their last records remain, with the story; and the lines are gone.
            try await lineage.awaitEndOfPast(bench.scene)
            try await admin.await("no predecessor is left", "/v1/status") {
                try $0.json["predecessors"]?.list.isEmpty == true ? true : nil
            }
            for id in ids.prefix(2) {
                let ended: [String: JSON] = try await admin.await("\(id) has ended", "/v1/connections/\(id)") {
                    let facts = try $0.json
                    return facts["state"]?.text == "closed" ? facts : nil
                }
                #expect(ended["reason"]?.text == "killed" && ended["story"]?.list.isEmpty == false)
            }
            let closed = try await admin.ask("GET", "/v1/closed").json["closed"]?.list ?? []
            #expect(Set(closed.compactMap { $0["id"]?.number }) == Set(ids.prefix(2)))
            let since = try await admin.ask("GET", "/v1/closed?since=\(ids[0])").json["closed"]?.list ?? []
            #expect(since.map { $0["id"]?.number } == [ids[1]])
            try await bench.exchange("c")
            try await bench.end("c")
        }
    }

    /// The process in between has no connection, and ends first.
    @Test(.needs("python3", "curl")) func connections_ofAPredecessor_areReachedAfterTheNextOneHasEnded() async throws {
        try await play { bench, lineage, admin in
            try await bench.begin(bench.first, "a")
            for _ in 0..<3 { try await upgrade(lineage, admin) }
            let older = lineage.past[0]
            try await bench.scene.eventually("those in between end") {
                lineage.past.dropFirst().allSatisfy { !Lineage.isRunning($0) }
            }
            let id = try await id(admin, in: older)
            #expect(try await tapline(admin, "kill", "\(id)").hasPrefix("killed \(id)"))
            #expect(try await bench.puppet.receiveToEnd("a").end == "reset")
        }
    }

    /// The API answers without it, and says so.
    @Test(.needs("python3", "curl")) func predecessor_thatIsStopped_delaysNoAnswerForLong() async throws {
        try await play { bench, lineage, admin in
            try await bench.begin(bench.first, "a")
            try await upgrade(lineage, admin)
            try await bench.begin(bench.first, "b")
            let old = lineage.past[0]
            let oldID = try await id(admin, in: old)
            try await StoppedProcess.stop(old)
            let status: [String: JSON] = try await admin.await("it does not answer", "/v1/status") {
                let facts = try $0.json
                return facts["predecessors"]?.list.first?["trouble"]?.text == "it does not answer" ? facts : nil
            }
            #expect(status["predecessors"]?.list.first?["pid"]?.number == Int(old))
            #expect(status["predecessors"]?.list.first?["open_connections"] == .null)
            #expect(try await tapline(admin, "status").contains("predecessor    \(old): it does not answer"))
            try await admin.await("only its own are listed", "/v1/connections") {
                let answer = try $0.json
                let silent = answer["unanswered"]?.list.map { $0["pid"]?.number }
                return answer["total"]?.number == 1 && silent == [Int(old)] ? true : nil
            }
            let list = try await tapline(admin, "connections")
            #expect(
                list.hasPrefix(
                    "warning: process \(old), from before the upgrade, does not answer; its connections are not listed\n"
                ))
            // What it may have is not denied, and the answers do not wait for it.
            let sentence = "process \(old), which still has connections from before the upgrade, does not answer"
            for method in ["GET", "DELETE"] {
                let answer = try await admin.ask(method, "/v1/connections/\(oldID)")
                #expect(answer.status == 503 && answer.code == "predecessor_silent")
                #expect(try answer.json["error"]?["message"]?.text == sentence)
            }
            #expect(try await admin.ask("GET", "/v1/connections?relay=old").status == 503)
            #expect(try await admin.ask("GET", "/v1/tap?connection=\(oldID)").status == 503)
            for command in ["why", "kill"] {
                let program = try bench.scene.start([
                    TaplineProcess.binary, command, "\(oldID)", "--admin", admin.address,
                ])
                program.finishInput()
                #expect(try await program.exit() == .exited(1))
                #expect(program.errors.all == ["tapline: \(sentence)"])
            }
            kill(old, SIGCONT)
            #expect(try await id(admin, in: old) == oldID)
            #expect(try await admin.ask("GET", "/v1/connections/\(oldID)").status == 200)
            #expect(try await admin.ask("GET", "/v1/connections?relay=old").status == 404)
            try await bench.end("a")
            try await bench.end("b")
        }
    }

    /// A relay that the new configuration lacks.
    @Test(.needs("python3", "curl")) func relay_thatOnlyAPredecessorHas_isFound() async throws {
        try await play { bench, lineage, admin in
            let more = "admin: { listen: '\(admin.address)' }"
            try Files.replace(bench.path, with: bench.text([("web", bench.first), ("old", bench.second)], more: more))
            try await admin.await("it is reloaded", "/v1/status") {
                try $0.json["generation"]?.number == 2 ? true : nil
            }
            try await bench.begin(bench.second, "a")
            try await StoppedProcess.stop(lineage.current)
            try Files.replace(bench.path, with: bench.text([("web", bench.first)], more: more))
            kill(lineage.current, SIGUSR2)
            kill(lineage.current, SIGCONT)
            try await upgrade(lineage, admin, isAsked: true)
            let old = lineage.past[0]
            let oldID = try await id(admin, in: old)
            let list = try await admin.ask("GET", "/v1/connections?relay=old").json
            #expect(list["connections"]?.list.map { $0["id"]?.number } == [oldID])
            for path in ["/v1/relays", "/v1/relays?relay=old"] {
                let relay = try await admin.ask("GET", path).json["relays"]?.list.last
                #expect(relay?["name"]?.text == "old" && relay?["process"]?.number == Int(old), "\(path)")
                #expect(relay?["configured"] == .flag(false) && relay?["open"]?.number == 1)
            }
            #expect(try await tapline(admin, "status").contains("old (in \(old))"))
            #expect(try await tapline(admin, "connections", "--relay", "old").contains("open in \(old)"))
            for path in ["/v1/tap?relay=old", "/v1/tap?connection=\(oldID)"] {
                let refused = try await admin.ask("GET", path)
                #expect(refused.status == 409 && refused.body.contains("process \(old), from before the upgrade"))
            }
            #expect(try await admin.ask("GET", "/v1/connections?relay=nosuch").status == 404)
            try await bench.end("a")
            try await lineage.awaitEndOfPast(bench.scene)
            // Its last connections are known by that name for longer than the process.
            let ended: [String: JSON] = try await admin.await("it has ended", "/v1/closed?relay=old") {
                let facts = try $0.json
                return facts["closed"]?.list.isEmpty == false ? facts : nil
            }
            #expect(ended["closed"]?.list.map { $0["id"]?.number } == [oldID])
        }
    }

    /// The counters start with the process, which `status` says.
    @Test(.needs("python3", "curl")) func status_afterAnUpgrade_saysSinceWhenItCounts() async throws {
        try await play { bench, lineage, admin in
            #expect(try await !tapline(admin, "status").contains("since the upgrade"))
            try await bench.converse(bench.first)
            try await upgrade(lineage, admin)
            #expect(try await tapline(admin, "status").contains("0 open, 0 accepted since the upgrade at "))
            let status = try await admin.ask("GET", "/v1/status").json
            #expect(status["upgraded"] == status["started"] && status["upgraded"]?.text != nil)
        }
    }

    /// A person did not want this relay's bytes on a disk, and the configuration has not changed.
    @Test(.needs("python3", "curl")) func recording_thatWasStopped_staysStoppedAfterTheUpgrade() async throws {
        try await play { bench, lineage, admin in
            let folder = bench.folder + "/recordings"
            func configure(_ keep: Int) throws {
                let text = bench.text([("web", bench.first)], more: "admin: { listen: '\(admin.address)' }")
                try Files.replace(
                    bench.path,
                    with: text.replacingOccurrences(
                        of: "name: web,",
                        with: "name: web, record: { directory: recordings, rotate: { keep: \(keep) } },"))
            }
            func isRecording() async throws -> Bool {
                try await admin.ask("GET", "/v1/relays/web/recording").json["recording"] == .flag(true)
            }
            try configure(5)
            try await admin.await("it is reloaded", "/v1/status") {
                try $0.json["generation"]?.number == 2 ? true : nil
            }
            #expect(try await isRecording())
            #expect(try await admin.ask("DELETE", "/v1/relays/web/recording").status == 200)
            let files = try bench.scene.recordings(in: folder)
            for _ in 0..<2 {
                try await upgrade(lineage, admin)
                try await lineage.errors.line(containing: "recording of web stays stopped after the upgrade")
                #expect(try await !isRecording())
                try await bench.converse(bench.first)
                #expect(try bench.scene.recordings(in: folder) == files)
            }
            // As at a reload, other settings of the file start it.
            try await StoppedProcess.stop(lineage.current)
            try configure(6)
            kill(lineage.current, SIGUSR2)
            kill(lineage.current, SIGCONT)
            try await upgrade(lineage, admin, isAsked: true)
            #expect(try await isRecording())
        }
    }

    /// Clients connect without a pause during two upgrades and one that fails.
    @Test(.needs("python3", "curl")) func ids_riseOverUpgrades_andNoneOccursTwice() async throws {
        try await reloadScene(.heavy) { bench in
            let crowd = try bench.scene.start(Scene.peer("storm.py"))
            let upstream = try await bench.scene.listening(crowd)
            try Files.write(
                "log: { format: json }\nrelays:\n  - { name: web, listen: '\(bench.first)', upstream: '\(upstream)' }\n",
                to: bench.path)
            try await bench.lineage { lineage in
                crowd.write("\(bench.first) 8\n")
                _ = try await lineage.first.records(20)
                try await lineage.upgrade()
                try await bench.installScript("exit 3")
                try lineage.send(SIGUSR2)
                try await lineage.errors.line(containing: "upgrade failed, this process continues")
                try await bench.installBinary()
                try await lineage.upgrade()
                // A client of the third process, once those of the second have ended.
                try await bench.scene.eventually("the third one has clients") {
                    try lineage.first.recordsSoFar.contains { $0.id > 3_000_000 }
                }
                crowd.write("over\n")
                try await crowd.output.line(containing: "\"done\"", within: .seconds(120))
                try lineage.send(SIGTERM)
                #expect(try await lineage.finish(bench.scene) == "status 0")
                let ids = try lineage.first.recordsSoFar.map(\.id)
                #expect(Set(ids).count == ids.count)
                // IDs of each of the three processes.
                #expect(ids.contains { $0 < 1_000_000 } && ids.contains { (1_000_001..<2_000_000).contains($0) })
                #expect(ids.contains { $0 > 3_000_000 } && ids.allSatisfy { $0 < 1 << 52 })
            }
        }
    }

    /// It continues in a new file with the same settings, and the old process still records its open connections.
    @Test(.needs("python3", "curl")) func recording_startedAtRunTime_continuesAfterTheUpgrade() async throws {
        try await play { bench, lineage, admin in
            let folder = bench.folder + "/recordings"
            try await bench.begin(bench.first, "a")
            let begun = try await admin.ask(
                "POST", "/v1/relays/web/recording", body: #"{"max_bytes":"100KB","when_full":"block"}"#)
            #expect(begun.status == 200)
            try await lineage.upgrade()
            let line = try await lineage.errors.line(containing: "recording of web continues after the upgrade")
            #expect(line.contains("\"relay\":\"web\"") && line.contains(folder))
            try await bench.begin(bench.first, "b")
            for name in ["a", "b"] {
                try await bench.puppet.pass(200_000, from: name, to: "\(name)'")
                try await bench.end(name)
            }
            try await lineage.awaitEndOfPast(bench.scene)
            let state = try await admin.ask("GET", "/v1/relays/web/recording").json
            #expect(state["recording"] == .flag(true))
            // The old process's connection from its start on, and the new one's up to the limit of each flow.
            let records = try await lineage.first.records(2)
            #expect(records.map(\.recordedBytes) == [100_000, 140_000])
            #expect(records.allSatisfy { $0.bytesUp == 240_000 })
            try await upgrade(lineage, admin)
            try await bench.converse(bench.first)
            try lineage.send(SIGTERM)
            #expect(try await lineage.finish(bench.scene) == "status 0")
            let files = try bench.scene.recordings(in: folder)
            #expect(files.count == 3, "\(files)")
            for (file, id) in zip(files, records.map(\.id)) {
                let shown = try await bench.scene.run(TaplineProcess.binary, "show", file, "--format", "json")
                #expect(shown.contains("\"id\":\(id)"), "\(shown.prefix(400))")
            }
        }
    }

    @Test(.needs("python3", "curl")) func recording_thatCannotContinue_isAWarning() async throws {
        try await play { bench, lineage, admin in
            #expect(try await admin.ask("POST", "/v1/relays/web/recording").status == 200)
            try await StoppedProcess.stop(lineage.current)
            try Files.replace(bench.path, with: bench.text([("other", bench.first)]))
            kill(lineage.current, SIGUSR2)
            kill(lineage.current, SIGCONT)
            let line = try await lineage.errors.line(containing: "recording of web ends with the upgrade")
            #expect(
                line.contains("\"level\":\"warning\"") && line.contains("the configuration has no relay with this name")
            )
            try await lineage.errors.line(containing: "took over from process")
        }
    }
}
