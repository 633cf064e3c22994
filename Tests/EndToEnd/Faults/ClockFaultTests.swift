import Foundation
import TestSupport
import Testing

/// `FAULTS.md`: the clock jumps by a day. faketime stands between the program and the system's wall clock and does not
/// change the monotonic clock, like setting a machine's clock.
struct ClockFaultTests {
    private static let day = 86_400.0

    /// Where Debian installs the library, on any architecture.
    private static let library: String? = {
        let folders = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib")) ?? []
        return folders.map { "/usr/lib/\($0)/faketime/libfaketimeMT.so.1" }
            .first { FileManager.default.fileExists(atPath: $0) }
    }()

    @Test(
        .needs("faketime", "python3", "tshark"), .enabled(if: library != nil, "there is no libfaketimeMT.so.1"),
        arguments: [day, -day])
    func clock_thatJumpsByADay_endsNothingEarly_andRecordsFollowIt(jump: Double) async throws {
        try await scene { scene in
            let clock = try scene.file("clock", "+0\n")
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("upstream")
            let recordings = scene.path("recordings")
            let tapline = try await scene.run(
                relays: """
                      - name: steady
                        listen: 127.0.0.1:0
                        upstream: \(upstream)
                        record: { directory: \(recordings), rotate: { every: 100h } }
                      - { name: quick, listen: 127.0.0.1:0, upstream: '\(upstream)', timeouts: { idle: 20s } }
                    """, listeners: 2,
                before: [
                    "env", "LD_PRELOAD=\(Self.library ?? "")", "FAKETIME_TIMESTAMP_FILE=\(clock)",
                    "FAKETIME_NO_CACHE=1",
                    "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1",
                    // faketime changes the environment of the first program that loads it, and Swift looks for its
                    // arguments next to the original environment; so the first program is a shell.
                    "sh", "-c", "exec \"$@\"", "sh",
                ])
            // The shell's environment is final when it executes the next program.
            defer {
                for name in ["faketime_shm_\(tapline.pid)", "sem.faketime_sem_\(tapline.pid)"] {
                    try? FileManager.default.removeItem(atPath: "/dev/shm/\(name)")
                }
            }
            for (name, address) in zip(["steady", "quick"], tapline.listeners) {
                try await puppet.connect(name, to: address)
                try await puppet.accept(name + "'", from: "upstream")
                try await puppet.pass(40_000, from: name, to: name + "'")
            }
            try Files.replace(clock, with: jump > 0 ? "+1d\n" : "-1d\n")
            // A second and a half: several sweeps for deadlines, and nothing is due by the monotonic clock.
            try await tapline.expectIdle("the clock has jumped")
            #expect(try tapline.recordsSoFar.isEmpty)
            for name in ["steady", "quick"] { try await puppet.pass(40_000, from: name + "'", to: name) }

            // Its timeout passes as if nothing had happened, neither early nor a day late.
            let quick = try await tapline.records(1)[0]
            #expect(quick.relay == "quick" && quick.reason == "idle_timeout")
            #expect((20_000..<80_000).contains(quick.durationMs), "after \(quick.durationMs) ms")
            for (side, other) in [("steady", "steady'"), ("steady'", "steady")] {
                try await puppet.finish(side)
                #expect(try await puppet.receiveToEnd(other).end == "fin")
            }
            let steady = try #require(try await tapline.records(2).first { $0.relay == "steady" })
            #expect(steady.reason == "client_closed" && steady.bytesUp == 40_000 && steady.bytesDown == 40_000)
            #expect(steady.recordedBytes == 80_000 && (0..<120_000).contains(steady.durationMs))
            try await tapline.stop()

            // Wall-clock times follow the clock; a minute is for a busy machine.
            let now = Date().timeIntervalSince1970 + jump
            for record in [quick, steady] {
                let time = try #require(ISO8601DateFormatter.withMilliseconds.date(from: record.time))
                #expect(abs(time.timeIntervalSince1970 - now) < 60, "\(record.time)")
            }
            let path = try #require(try scene.recordings(in: recordings).first)
            let times = try await Dissection(scene: scene, path: path).fields(["frame.time_epoch"])
                .compactMap { Double($0[0]) }
            let (first, last) = (try #require(times.first), try #require(times.last))
            #expect(abs(first - now + jump) < 60 && abs(last - now) < 60, "\(first), \(last)")
        }
    }
}

extension ISO8601DateFormatter {
    fileprivate static var withMilliseconds: ISO8601DateFormatter {
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        return formatter
    }
}
