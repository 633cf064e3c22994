import Foundation
import Testing

/// `FAULTS.md`, "Resources and upstream trouble", with the built program.
struct ResourceFaultTests {
    /// Pipes of streaming flows and recordings count against the same limit: open connections continue, and none is
    /// dropped.
    @Test(.needs("python3", "curl", "prlimit"))
    func descriptorLimit_withStreamsAndRecordings_isNeverReached_andOpenConnectionsContinue() async throws {
        try await scene(.heavy) { scene in
            let limit = 256
            let crowd = try scene.start(Scene.peer("crowd.py"))
            let puppet = try scene.puppet()
            let tapline = try await scene.run(
                relays: """
                      - name: streams
                        listen: 127.0.0.1:0
                        upstream: \(try await puppet.listen("upstream"))
                      - name: taped
                        listen: 127.0.0.1:0
                        upstream: \(try await scene.listening(crowd))
                        record: { directory: \(scene.path("recordings")), rotate: { size: 1MiB, keep: 3 } }
                    """,
                more: "admin: { listen: 'unix:\(scene.path("admin.sock"))' }", listeners: 2,
                before: ["prlimit", "--nofile=\(limit):\(limit)", "--"])
            let admin = try await scene.admin(of: tapline)
            // Flows that stream and whose readers sleep hold a pipe each.
            let streams = (0..<12).map { "stream \($0)" }
            var sent: [String: RecordingBench.Sent] = [:]
            for name in streams {
                try await puppet.connect(name, to: tapline.listeners[0])
                try await puppet.accept(name + "'", from: "upstream")
                sent[name] = try await puppet.fill(name, quiet: 0.3)
            }
            crowd.write("ask \(tapline.listeners[1]) 400\n")
            try await crowd.output.line(containing: "\"asking\": 400")
            let pause = try await tapline.program.errors.line(containing: "accepting is paused")
            #expect(pause.contains("\"reason\":\"descriptors\"") && pause.contains("\"relay\":\"taped\""))
            let paused = try Regex("tapline_accept_pauses_total\\{relay=\"taped\"\\} [1-9]")
            try await admin.await("that the pause is counted", "/metrics") { $0.body.contains(paused) ? true : nil }
            try await tapline.expectIdle("accepting pauses")
            let held = try tapline.footing().descriptors
            #expect(held.values.reduce(0, +) < limit && held["pipe"] ?? 0 >= 2)

            // Open connections continue to their last byte.
            for name in streams {
                try await puppet.finish(name)
                let got = try await puppet.receiveToEnd(name + "'")
                #expect(got.count == sent[name]?.count && got.sha256 == sent[name]?.sha256 && got.end == "fin")
                try await puppet.close(name + "'")
            }
            crowd.write("finish\n")
            try await crowd.output.line(containing: "\"answered\": 400", within: .seconds(90))
            let records = try await tapline.records(412)
            #expect(records.allSatisfy { ["client_closed", "upstream_closed"].contains($0.reason) })
            #expect(records.filter { $0.relay == "taped" }.allSatisfy { $0.bytesUp == 14 && $0.bytesDown == 14 })
            #expect(records.filter { $0.relay == "taped" }.allSatisfy { $0.recordedBytes == 28 })
            // No client was refused for lack of a descriptor.
            #expect(!tapline.program.errors.all.contains { $0.contains("EMFILE") })
            try await tapline.stop()
        }
    }

    /// The system refuses to accept for a while, as it does when the whole machine lacks descriptors or memory.
    @Test(
        .needs("python3", "curl", "gcc"),
        arguments: [("ENFILE", ENFILE), ("EMFILE", EMFILE), ("ENOBUFS", ENOBUFS), ("ENOMEM", ENOMEM)])
    func accept_thatTheSystemRefuses_isTriedAgainAtEase_andClientsAreServed(name: String, code: CInt) async throws {
        try await scene { scene in
            let bench = try await RefusalBench(scene, code)
            // From here on it refuses; clients wait in the kernel's queue.
            try bench.refuse(1 << 30)
            try await bench.puppet.connect("a", to: bench.tapline.address)
            let line = try await bench.tapline.program.errors.line(containing: "accepting is paused")
            #expect(line.contains("\"reason\":\"system\"") && line.contains("(\(name))"))
            let before = try bench.left
            try await bench.tapline.expectIdle("the system refuses")
            // A worker tries ten times a second; a spinning loop would try thousands of times.
            let tries = before - (try bench.left)
            #expect(tries < 500, "it has tried \(tries) times")
            let counted = try Regex("tapline_accept_pauses_total\\{relay=\"web\"\\} [1-9]")
            try await bench.admin.await("that it is counted", "/metrics") { $0.body.contains(counted) ? true : nil }
            try bench.refuse(0)
            try await bench.expectServed("a")
        }
    }

    /// SwiftNIO closes a listening socket on an error that concerns one client.
    @Test(.needs("python3", "curl", "gcc"))
    func accept_thatFailsForTheAPI_isTriedAgain_andClientsAreServed() async throws {
        try await scene { scene in
            let bench = try await RefusalBench(scene, EPROTO, ofAPI: true)
            for refusals in [1, 2] as [Int32] {
                try bench.refuse(refusals)
                // It waits in the kernel's queue.
                #expect(try await bench.admin.ask("/v1/status").status == 200)
                #expect(try bench.left == 0)
            }
            // After its end all of its output is read.
            try await bench.tapline.stop()
            let words = "cannot accept clients at 127.0.0.1:"
            let lines = bench.tapline.program.errors.all.filter { $0.contains(words) }
            // One a minute.
            #expect(lines.count == 1 && lines[0].contains("Protocol error"), "\(lines)")
        }
    }

    /// A client that left before it was accepted causes no pause.
    @Test(.needs("python3", "curl", "gcc")) func accept_ofAClientThatIsGone_continuesWithTheNext() async throws {
        try await scene { scene in
            let bench = try await RefusalBench(scene, ECONNABORTED)
            try bench.refuse(3)
            try await bench.puppet.connect("a", to: bench.tapline.address)
            try await bench.expectServed("a")
            #expect(try bench.left == 0)
            #expect(!bench.tapline.program.errors.all.contains { $0.contains("accepting pauses") })
        }
    }
}

/// A Tapline whose accept4(2) fails as often as the test says: `Peers/refuse.c`.
private struct RefusalBench {
    let puppet: Puppet
    let tapline: TaplineProcess
    let admin: AdminClient
    private let file: String

    /// `ofAPI`: accepting fails for the API, and not for the relay.
    init(_ scene: Scene, _ code: CInt, ofAPI: Bool = false) async throws {
        let library = scene.path("refuse.so")
        try await scene.run("gcc", "-shared", "-fPIC", "-O2", "-o", library, "\(Scene.peers)/refuse.c")
        file = scene.path("refusals")
        try Data(count: 4).write(to: URL(fileURLWithPath: file))
        puppet = try scene.puppet()
        // The other one has a socket of another family, for which accepting does not fail.
        let (refused, other) = ("127.0.0.1:0", "unix:\(scene.path("other.sock"))")
        let upstream = try await puppet.listen("upstream")
        tapline = try await scene.run(
            relays: "  - { name: web, listen: '\(ofAPI ? other : refused)', upstream: '\(upstream)' }",
            more: "admin: { listen: '\(ofAPI ? refused : other)' }",
            before: ["env", "LD_PRELOAD=\(library)", "REFUSE_FILE=\(file)", "REFUSE_ERROR=\(code)"])
        admin = try await scene.admin(of: tapline)
    }

    /// Fails this many times from now on.
    func refuse(_ count: Int32) throws {
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
        // Written into the same file, its first four bytes at once, because the process has mapped it.
        try handle.write(contentsOf: withUnsafeBytes(of: count) { Data($0) })
        try handle.close()
    }

    /// How many failures are left.
    var left: Int32 {
        get throws {
            try Data(contentsOf: URL(fileURLWithPath: file)).withUnsafeBytes { $0.loadUnaligned(as: Int32.self) }
        }
    }

    /// The client that has connected is served, and so is the next one.
    func expectServed(_ first: String) async throws {
        for name in [first, first + " and after"] {
            if name != first { try await puppet.connect(name, to: tapline.address) }
            try await puppet.accept(name + "'", from: "upstream")
            try await puppet.pass(14, from: name, to: name + "'")
            // The client first: its FIN has arrived before the upstream ends its half.
            for (side, other) in [(name, name + "'"), (name + "'", name)] {
                try await puppet.finish(side)
                #expect(try await puppet.receiveToEnd(other).end == "fin")
            }
        }
        #expect(try await tapline.records(2).allSatisfy { $0.bytesUp == 14 && $0.reason == "client_closed" })
    }
}
