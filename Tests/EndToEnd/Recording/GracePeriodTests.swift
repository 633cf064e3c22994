import Foundation
import Testing

/// How a recording sidecar ends by Kubernetes' rules: SIGTERM, a grace period, then SIGKILL.
struct GracePeriodTests {
    private static let names = ["first", "second", "third", "fourth"]
    private static let size = 300_000

    /// Runs a test with a recorded relay and four transfers of which each is half done; `wait` is the drain limit in
    /// its configuration. SIGTERM has been sent.
    private func play(
        wait: String, _ play: (Scene, Puppet, TaplineProcess) async throws -> Void
    ) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.run(
                relays: """
                      - name: web
                        listen: 127.0.0.1:0
                        upstream: '\(upstream)'
                        record: { directory: '\(scene.path("recordings"))', when_full: block }
                    """, more: "shutdown: { drain: \(wait) }")
            for name in Self.names {
                try await puppet.connect(name, to: tapline.address)
                try await puppet.accept(name + "'", from: "upstream")
                try await puppet.pass(Self.size, from: name, to: name + "'")
            }
            try await tapline.program.send(SIGTERM)
            try await tapline.program.errors.line(containing: "4 open, waiting up to \(wait)")
            try await puppet.awaitRefusal(tapline.address)
            try await play(scene, puppet, tapline)
        }
    }

    /// The other half of a transfer, and its end.
    private func finish(_ name: String, _ puppet: Puppet) async throws {
        try await puppet.pass(Self.size, from: name + "'", to: name)
        for (one, other) in [(name + "'", name), (name, name + "'")] {
            try await puppet.finish(one)
            #expect(try await puppet.receiveToEnd(other).end == "fin")
        }
    }

    /// Each of these has ended by itself, and its record says that all of it is recorded.
    private func expectFinished(_ records: [EndRecord], _ count: Int) {
        #expect(records.count == count)
        for record in records {
            #expect(record.reason == "upstream_closed" && record.closedBy == "upstream")
            #expect(record.bytesUp == Self.size && record.bytesDown == Self.size)
            #expect(record.recordedBytes == UInt64(2 * Self.size) && record.droppedBytes == 0)
        }
    }

    @Test(.needs("python3", "tshark")) func transfers_thatFinishWithinTheGrace_areCompleteInTheEnd() async throws {
        try await play(wait: "10m") { scene, puppet, tapline in
            for name in Self.names { try await finish(name, puppet) }
            #expect(try await tapline.program.exit() == .exited(0))
            expectFinished(try tapline.recordsSoFar, 4)
            let files = try scene.recordings(in: scene.path("recordings"), of: "web.")
            #expect(files.count == 1)
            try await Dissection(scene: scene, path: files[0]).expectWhole([0: .whole, 1: .whole, 2: .whole, 3: .whole])
            let facts = try await scene.facts(of: files)
            #expect(facts.troubles == [] && facts.missing == 0 && facts.recorded == UInt64(8 * Self.size))
        }
    }

    /// The drain limit does not help here, so only what is recorded before SIGKILL counts.
    @Test(.needs("python3", "tshark"), arguments: [0, 120_000])
    func transfer_thatHangs_isCutBySIGKILL_andWhatWasBeforeIsThere(more: Int) async throws {
        try await play(wait: "10m") { scene, puppet, tapline in
            for name in Self.names.dropLast() { try await finish(name, puppet) }
            expectFinished(try await tapline.records(3), 3)
            // The fourth continues for a while, and then hangs. Its bytes are in the file within a second.
            let hanging = Self.names[3]
            if more > 0 { try await puppet.pass(more, from: hanging + "'", to: hanging) }
            let path = try #require(try scene.recordings(in: scene.path("recordings"), of: "web.").first)
            let wanted = 7 * Self.size + more
            try await scene.eventually("all is in the file") {
                try await scene.facts(of: [path]).recorded == UInt64(wanted)
            }
            try await tapline.program.send(SIGKILL)
            #expect(try await tapline.program.exit() == .signalled(SIGKILL))
            expectFinished(try tapline.recordsSoFar, 3)

            let facts = try await scene.facts(of: [path])
            #expect(facts.files[0].trouble == nil && facts.missing == 0 && facts.recorded == UInt64(wanted))
            #expect(facts.conversations.count { $0.reason == "upstream_closed" && $0.ends == 2 } == 3)
            let cut = try #require(facts.conversations.first { $0.reason == nil })
            #expect(cut.up.isWhole(UInt64(Self.size)) && cut.down.isWhole(UInt64(more)) && cut.ends == 0)
            #expect(!cut.isReset)

            // Wireshark and Tapline itself read it to its last complete block.
            let wireshark = try await Dissection(scene: scene, path: path).completeness()
            #expect(wireshark.values.sorted() == [15, .whole, .whole, .whole])
            let summary = try await scene.run(TaplineProcess.binary, "show", path)
            #expect(summary.split(separator: "\n").count { !$0.hasPrefix("ID") } == 4, "\(summary)")
        }
    }
}
