import Foundation
import Testing

/// `FAULTS.md`, "Figures": checks for every run of the tests, in addition to `LoadTests`.
struct FigureFaultTests {
    /// A thousand connections that have streamed are held, with pipes as far as an ordinary user can get them.
    @Test(.needs("python3", "curl"), .enabled(if: Host.mostDescriptors >= 4096, "needs 4,096 descriptors a process"))
    func thousandConnectionsThatSpliced_areHeld_forAKilobyteEachAndNoTime() async throws {
        try await scene(.heavy) { scene in
            let (count, size) = (1000, 1 << 21)
            let peers = try scene.start(Scene.peer("held.py"))
            let tapline = try await scene.run(
                relays: """
                      - { name: web, listen: '127.0.0.1:0', upstream: '\(try await scene.listening(peers))' }
                    """, more: "admin: { listen: 'unix:\(scene.path("admin.sock"))' }")
            let admin = try await scene.admin(of: tapline)
            peers.write("hold \(tapline.address) 50 \(size)\n")
            try await peers.output.line(containing: "\"held\": 50, \"good\": 50}", within: .seconds(90))
            let (held, footing) = (50, try await tapline.steadyFooting(in: scene))

            peers.write("hold \(tapline.address) \(count) \(size)\n")
            try await peers.output.line(
                containing: "\"held\": \(count + held), \"good\": \(count)}", within: .seconds(300))
            // Nothing moves: the pipes are released, and each worker keeps a few.
            var now = try tapline.footing()
            let sockets = (footing.descriptors["socket"] ?? 0) + 2 * count
            do {
                try await scene.eventually("two sockets are left of each") {
                    now = try tapline.footing()
                    return now.descriptors["socket"] == sockets
                        && now.descriptors["pipe"] ?? 0 <= Footing.mostPipes
                }
            } catch {
                throw Failure("\(sockets) sockets and a few pipes should be open, not \(now.descriptors)")
            }
            let each = Double(now.memory - footing.memory) / Double(count) / 1024
            #expect(each <= 1.1, "\(each) KiB for each of \(count) held connections")
            try await tapline.expectIdle("\(count) connections are held")
            let body = try await admin.ask("/metrics").body
            let spliced = try #require(
                body.firstMatch(of: /tapline_spliced_bytes_total\{relay="web",direction="down"\} (\d+)/))
            #expect(geteuid() != 0 || Int(spliced.1) ?? 0 > count << 16, "\(spliced.1) bytes were spliced")

            peers.write("close\n")
            try await peers.output.line(containing: "\"ends\": \(count + held)}", within: .seconds(90))
            let records = try await tapline.records(count + held)
            #expect(records.allSatisfy { $0.bytesDown == size && $0.bytesUp == 10 && $0.reason == "upstream_closed" })
            try await scene.eventually("none of their sockets is left") {
                try tapline.footing().descriptors["socket"] ?? 0 <= (footing.descriptors["socket"] ?? 0) - 2 * held
            }
        }
    }

    @Test(.needs("python3", "curl"), arguments: ["up", "down"])
    func twoGigabytesInOneFlow_arriveWhole(direction: String) async throws {
        try await faultScene(.heavy) { bench in
            let size = 2_000_000_000
            try await bench.open("a")
            let (source, destination) = direction == "up" ? ("a", "a'") : ("a'", "a")
            let sent = try await bench.puppet.pass(size, from: source, to: destination, within: .seconds(300))
            #expect(sent.count == size)
            for side in ["a", "a'"] { try await bench.puppet.finish(side) }
            for side in ["a", "a'"] { #expect(try await bench.puppet.receiveToEnd(side).end == "fin") }
            let record = try await bench.records(1)[0]
            #expect(
                record.bytesUp == (direction == "up" ? size : 0) && record.bytesDown == (direction == "up" ? 0 : size))
            try await bench.close("a")
            try await bench.expectFlat()
        }
    }
}
