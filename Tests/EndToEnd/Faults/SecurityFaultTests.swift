import Foundation
import Testing

/// `FAULTS.md`, "Security", where the built program is needed.
struct SecurityFaultTests {
    /// An unprivileged user on a system on which nothing can be written.
    @Test(.needs("python3", "curl", "setpriv", "unshare", "mount"), .needsRoot, .mayMount, .needsNetworkNamespace)
    func ordinaryUser_onAReadOnlyFileSystem_isServed() async throws {
        try await scene { scene in
            let binary = try scene.publicBinary()
            let puppet = try scene.puppet()
            let configuration = try scene.file(
                "tapline.yaml",
                """
                log: { format: json }
                admin: { listen: 127.0.0.1:0 }
                relays:
                  - { name: web, listen: '127.0.0.1:0', upstream: '\(try await puppet.listen("upstream"))' }

                """)
            let script = """
                mount --make-rprivate /
                mount -o remount,bind,ro /
                if touch \(scene.path("written")) 2>/dev/null; then exit 9; fi
                exec \(Scene.ordinaryUser.joined(separator: " ")) \(binary) run --config \(configuration)
                """
            let program = try scene.start(["unshare", "--mount", "sh", "-e", "-c", script])
            let line = try await program.errors.line(containing: " listens on ")
            let address = try #require(line.firstMatch(of: /listens on (\S+),/)?.1)
            let pid = try await program.pid()
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            #expect(status.contains("Uid:\t65534\t65534\t65534\t65534"))
            let tapline = TaplineProcess(program: program, pid: pid, listeners: [String(address)])
            let admin = try await scene.admin(of: tapline)
            try await puppet.connect("a", to: String(address))
            try await puppet.accept("a'", from: "upstream")
            try await puppet.pass(6 << 20, from: "a", to: "a'")
            try await puppet.pass(6 << 20, from: "a'", to: "a")
            #expect(try await admin.ask("/v1/connections").json["total"]?.number == 1)
            // A reload needs no file of its own either.
            #expect(try await admin.ask("POST", "/v1/reload").status == 200)
            // The client first: its FIN has arrived before the upstream ends its half.
            for (side, other) in [("a", "a'"), ("a'", "a")] {
                try await puppet.finish(side)
                #expect(try await puppet.receiveToEnd(other).end == "fin")
            }
            #expect(try await tapline.stop().map(\.reason) == ["client_closed"])
        }
    }

    /// Hundreds of peers from as many addresses: the metrics have no additional lines, and memory does not grow.
    @Test(.needs("python3", "curl")) func metrics_ofManyPeers_haveNoLineMore_andMemoryIsFlat() async throws {
        try await faultScene { bench in
            let converse = { (number: Int) in
                let name = "\(number)"
                let host = "127.0.\(1 + number / 200).\(1 + number % 200)"
                try await bench.puppet.connect(name, to: bench.tapline.address, from: host)
                try await bench.puppet.accept(name + "'", from: "upstream")
                try await bench.puppet.pass(14, from: name, to: name + "'")
                try await bench.puppet.finish(name)
                try await bench.puppet.receiveToEnd(name + "'")
                try await bench.close(name)
            }
            try await converse(0)
            _ = try await bench.records(1)
            let lines = { try await bench.admin.ask("/metrics").body.split(separator: "\n").count }
            let before = try await lines()
            for number in 1...600 { try await converse(number) }
            let records = try await bench.records(601)
            #expect(Set(records.map { $0.client.split(separator: ":")[0] }).count == 601)
            #expect(try await lines() == before)
            try await bench.expectFlat()
        }
    }

    /// Nothing is recorded without a request: no file, no recorder thread, no byte counted as recorded.
    @Test(.needs("python3", "curl")) func recording_thatWasNotRequested_isNotMade() async throws {
        try await faultScene { bench in
            try await bench.open("a")
            try await bench.puppet.pass(100_000, from: "a", to: "a'")
            #expect(try await bench.metric("tapline_recording{") == 0)
            #expect(try await bench.metric("tapline_recorded_bytes_total") == 0)
            for side in ["a", "a'"] { try await bench.puppet.finish(side) }
            #expect(try await bench.records(1)[0].recordedBytes == nil)
            let files = try FileManager.default.subpathsOfDirectory(atPath: bench.scene.folder)
            #expect(files.contains("tapline.yaml") && !files.contains { $0.hasSuffix(".pcapng") }, "\(files)")
        }
    }

    /// Changes require POST or DELETE; other methods change nothing, and no answer can be read by another site.
    @Test(.needs("python3", "curl")) func changes_byOtherMethods_areRefused_andChangeNothing() async throws {
        try await faultScene(settings: "record: { directory: recordings }") { bench in
            try await bench.open("a")
            try await bench.puppet.pass(1000, from: "a", to: "a'")
            let live = try #require(try await bench.admin.ask("/v1/connections").json["connections"]?.list.first)
            let id = try #require(live["id"]?.number)
            let before = try await bench.admin.ask("/v1/status").json["generation"]
            for path in ["/v1/reload", "/v1/drain", "/v1/relays/faulty/recording", "/v1/connections/\(id)"] {
                for method in ["GET", "HEAD", "PUT", "PATCH", "OPTIONS", "PROPFIND"] {
                    // Reading a connection or a recording is not a change.
                    let isShown = path.hasSuffix("/\(id)") || path.hasSuffix("/recording")
                    if isShown, ["GET", "HEAD"].contains(method) { continue }
                    let words = ["curl", "-si", "--max-time", "30"] + (method == "HEAD" ? ["-I"] : ["-X", method])
                    let said = try await bench.scene.run(words + bench.admin.target(path))
                    #expect(said.hasPrefix("HTTP/1.1 405 "), "\(method) \(path): \(said.prefix(200))")
                    #expect(!said.lowercased().contains("access-control-"), "\(method) \(path)")
                }
            }
            #expect(try await bench.admin.ask("/v1/status").json["generation"] == before)
            #expect(try await bench.admin.ask("/readyz").status == 200)
            #expect(try await bench.metric("tapline_recording{") == 1)
            try await bench.puppet.pass(1000, from: "a'", to: "a")
            #expect(try bench.endedSoFar == 0)
        }
    }
}
