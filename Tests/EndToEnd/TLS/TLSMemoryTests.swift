import Foundation
import Testing

/// Many sessions through one Tapline, complete, resumed, refused, half-open and reset, leave no memory and no descriptor.
@Suite(.needs("openssl", "python3"))
struct TLSMemoryTests {
    private static let rounds = 4
    /// Connections of each attack: a wave, after which free memory is returned.
    private static let count = 300

    @Test func manySessions_leaveNothing() async throws {
        try await scene(.heavy) { scene in
            _ = try scene.authority(for: "front.example", "back.example")
            let server = try await scene.openSSLServer("back", ["-www"])
            // Without the admin API, which keeps the last records.
            let tapline = try await scene.run(
                relays: """
                      - name: secure
                        listen: 127.0.0.1:0
                        upstream: \(server.address)
                        tls: { certificates: { chain: front.crt, key: front.key }, handshake: 2s }
                        upstream_tls: { ca: ca.crt, server_name: back.example }
                    """, more: "workers: 1")
            let hostile = try scene.start(
                Scene.peer("hostile_tls.py") + ["client", scene.path("ca.crt"), "front.example"])
            let before = try await tapline.steadyFooting(in: scene)
            var attacks = 0
            for _ in 0..<Self.rounds {
                for kind in ["-new", "-reuse"] {
                    try await scene.run(
                        "openssl", "s_time", "-connect", tapline.address, "-CAfile", scene.path("ca.crt"), kind,
                        "-time",
                        "1", "-www", "/")
                }
                for attack in ["reset", "garbage", "half"] {
                    attacks += 1
                    hostile.write("\(attack) \(tapline.address) \(Self.count)\n")
                    let line = try await hostile.output.line(containing: "\"attack\": \(attacks),")
                    #expect(!line.contains("trouble"), "\(line)")
                }
            }
            let ended = tapline.program.output.all.count(where: EndRecord.isRecord)
            #expect(ended > Self.rounds * 3 * Self.count, "\(ended)")
            // A kilobyte for each of them would be more.
            try await scene.eventually("the memory is what it was") {
                try ProcessFacts.privateMemory(of: tapline.pid) - before.memory < 2 << 20
            }
            try await tapline.expectFlat(since: before, in: scene)
            try await tapline.stop()
        }
    }
}
