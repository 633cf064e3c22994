import Foundation
import TestSupport
import Testing

/// Clients that an intercepting relay must not, or cannot, forward to their original destination. Each gets a reset,
/// and the record has a reason.
@Suite(.needsNetworkNamespace, .needs("curl", "ip", "nft", "nsenter", "python3", "unshare"))
struct RefusedDestinationTests {
    private static func relay(_ interception: String, more: String = "") -> String {
        "  - { name: out, listen: 15001, upstream: original-destination\(interception) }\n\(more)"
    }

    /// Without a rule nothing is tracked; with one the system reports the listener itself as the destination.
    @Test func clientThatWasNotRedirected_isRefused_withAndWithoutRules() async throws {
        try await neighbourhood { neighbours in
            let scene = neighbours.scene
            let puppet = try scene.puppet(before: neighbours.here.before)
            let tapline = try await scene.run(
                relays: Self.relay(", interception: { mark: 0x7a70, allow: [\"0.0.0.0/0\", \"::/0\"] }"),
                more: "admin: { listen: 'unix:\(scene.path("admin"))' }", listeners: 2, before: neighbours.here.before)
            // It keeps the stories of connections that end from now on.
            let admin = try await scene.admin(of: tapline)
            let addresses = ["127.0.0.1:15001", "[::1]:15001"]
            for address in addresses { try await neighbours.expectReset(puppet, to: address) }
            for record in try await tapline.records(2) {
                #expect(record.reason == "destination_refused" && record.closedBy == "tapline")
                #expect(record.errno == "ENOENT" && record.upstreamAddress == nil && record.connectMs == nil)
            }
            try await neighbours.load("outgoing.nft")
            for address in addresses { try await neighbours.expectReset(puppet, to: address) }
            let records = try await tapline.records(4)
            #expect(records[2...].map(\.upstreamAddress) == addresses)
            #expect(records[2...].allSatisfy { $0.reason == "destination_refused" && $0.errno == nil })
            for (id, words) in [
                (1, "does not know the client's original destination (ENOENT)"),
                (3, "connected to the listener directly"),
            ] {
                let story = try await admin.await("its story", "/v1/connections/\(id)") { answer in
                    try answer.json["state"]?.text == "closed" ? answer.body : nil
                }
                #expect(story.contains(words), "\(story)")
            }
            try await tapline.stop()
        }
    }

    @Test func destinations_thatAreNotAllowed_orAreOurOwn_orDoNotAnswer_haveAReasonEach() async throws {
        try await neighbourhood { neighbours in
            let scene = neighbours.scene
            let puppet = try scene.puppet(before: neighbours.here.before)
            let tapline = try await scene.run(
                relays: Self.relay(
                    ", interception: { mark: 0x7a70, allow: [10.77.0.0/24, 127.0.0.0/8] }",
                    more: "  - { name: other, listen: '127.0.0.1:8099', upstream: '127.0.0.1:9' }\n"),
                more: "admin: { listen: 'unix:\(scene.path("admin"))' }", listeners: 3, before: neighbours.here.before)
            let admin = try await scene.admin(of: tapline)
            try await neighbours.load("outgoing.nft")
            try await neighbours.nft(
                "insert rule inet tapline_outgoing output meta mark 0 tcp dport 8099 redirect to :15001")
            // No process listens there, and the other machine's system reports one port as unreachable.
            try await scene.run(
                neighbours.there.before
                    + ["nft", "add rule inet test in tcp dport 82 reject with icmp type host-unreachable"])
            let expected: [(address: String, reason: String, errno: String?)] = [
                ("[fd77::2]:80", "destination_refused", nil), ("127.0.0.1:8099", "destination_refused", nil),
                ("10.77.0.2:81", "connect_refused", "ECONNREFUSED"),
                ("10.77.0.2:82", "connect_unreachable", "EHOSTUNREACH"),
            ]
            for (address, _, _) in expected { try await neighbours.expectReset(puppet, to: address) }
            let records = try await tapline.records(expected.count)
            for (record, wanted) in zip(records, expected) {
                #expect(record.upstreamAddress == wanted.address && record.upstream == "original-destination")
                #expect(record.reason == wanted.reason && record.errno == wanted.errno, "\(record)")
            }
            for (id, words) in [(1, "is not in interception.allow of relay out"), (2, "another of Tapline's own")] {
                let story = try await admin.await("its story", "/v1/connections/\(id)") { answer in
                    try answer.json["state"]?.text == "closed" ? answer.body : nil
                }
                #expect(story.contains(words), "\(story)")
            }
            // Requested destinations are not metric labels.
            let metrics = try await admin.ask("/metrics").body
            #expect(metrics.contains("reason=\"destination_refused\",closed_by=\"tapline\"} 2\n"))
            #expect(metrics.contains("endpoint=\"original-destination\"") && !metrics.contains("10.77.0.2"))
            try await tapline.stop()
        }
    }

    @Test func loopback_isRefused_unlessItIsAllowed() async throws {
        try await neighbourhood { neighbours in
            let scene = neighbours.scene
            let puppet = try scene.puppet(before: neighbours.here.before)
            let relays = { (allow: String) in Self.relay(", interception: { mark: 0x7a70\(allow) }") }
            let tapline = try await scene.run(relays: relays(""), listeners: 2, before: neighbours.here.before)
            try await neighbours.load("outgoing.nft")
            try await neighbours.nft(
                "insert rule inet tapline_outgoing output meta mark 0 tcp dport 8098 redirect to :15001")
            _ = try await puppet.listen("service", "127.0.0.1:8098")
            try await neighbours.expectReset(puppet, to: "127.0.0.1:8098")
            #expect(try await tapline.records()[0].reason == "destination_refused")
            try Files.write(
                "log: { format: json }\nrelays:\n" + relays(", allow: 127.0.0.0/8"), to: scene.path("tapline.yaml"))
            try await tapline.program.errors.line(containing: "reloaded: ")
            try await puppet.connect("client", to: "127.0.0.1:8098")
            try await puppet.accept("client'", from: "service")
            try await puppet.finish("client")
            try await puppet.receiveToEnd("client'")
            try await puppet.close("client'")
            #expect(try await tapline.records(2)[1].reason == "client_closed")
            try await tapline.stop()
        }
    }

    /// Rules without exceptions: Tapline's own connections come back to it. The loop ends at the first turn.
    @Test(arguments: ["\(Neighbours.there4):80", "\(Neighbours.there6):80"])
    func ownTraffic_thatRulesBringBack_isFoundAtOnce(address: String) async throws {
        try await neighbourhood { neighbours in
            let scene = neighbours.scene
            let puppet = try scene.puppet(before: neighbours.here.before)
            let tapline = try await scene.run(
                relays: Self.relay(""), more: "workers: 3", listeners: 2, before: neighbours.here.before)
            let before = try await tapline.steadyFooting(in: scene)
            try await neighbours.load("outgoing.nft")
            let start = ContinuousClock.now
            for _ in 0..<20 { try await neighbours.expectReset(puppet, to: address) }
            try await scene.eventually("as many loops as clients") {
                try tapline.recordsSoFar.filter { $0.reason == "loop" }.count >= 20
            }
            try await tapline.expectFlat(since: before, in: scene)
            // Reported at once, and then at most once in ten seconds.
            try await tapline.program.errors.line(containing: "exclude its mark")
            let warnings = tapline.program.errors.all.filter { $0.contains("exclude its mark") }
            let most = 1 + Int((ContinuousClock.now - start) / Duration.seconds(10))
            #expect(warnings.count <= most, "\(warnings)")
            let records = try await tapline.stop()
            #expect(records.allSatisfy { $0.upstreamAddress == address })
            // Each client's own connection and the one that came back from it; if another worker accepts that one
            // before its opener has noted it, the opener is found instead, and another turn may follow.
            #expect((20...200).contains(records.count), "\(records.count)")
        }
    }

    /// Clients that leave at once: the connection that was opened for one may be accepted when that client has left,
    /// and must be recognised anyway.
    @Test(.needs("python3")) func ownTraffic_ofClientsThatReset_dies() async throws {
        try await neighbourhood { neighbours in
            let scene = neighbours.scene
            let here = neighbours.here.before
            let tapline = try await scene.run(relays: Self.relay(""), more: "workers: 1", listeners: 2, before: here)
            try await neighbours.load("outgoing.nft")
            try await scene.run(
                here + [
                    "python3", "-c",
                    """
                    import socket, struct
                    for _ in range(300):
                        try:
                            client = socket.create_connection(("\(Neighbours.there4)", 80))
                        except ConnectionError:
                            continue  # The loop was found, and the reset came, before connect had returned.
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        client.close()
                    """,
                ])
            var count = -1
            try await scene.eventually("no more of them") {
                let before = count
                count = try tapline.recordsSoFar.count
                try await Task.sleep(for: .seconds(1))
                return count >= 300 && count == before
            }
            // The connection that was opened for a client, and at most the one that it opened in turn.
            #expect(count <= 1500, "\(count)")
            try await tapline.stop()
        }
    }

    @Test(.needs("setpriv"), .needsRoot) func mark_asAnOrdinaryUser_isAnError_atTheStartAndAtAReload() async throws {
        try await scene { scene in
            let binary = try scene.publicBinary()
            let text = { (mark: String) in
                """
                log: { format: json }
                relays:
                  - { name: out, listen: '127.0.0.1:0', upstream: original-destination, interception: { \(mark) } }

                """
            }
            let said =
                "cannot mark the upstream sockets of relay out (interception.mark): Operation not permitted (EPERM)"
            let configuration = try scene.file("tapline.yaml", text("mark: 1"))
            let words = Scene.ordinaryUser + [binary, "run", "--config", configuration]
            let refused = try scene.start(words)
            #expect(try await refused.exit() == .exited(71))
            let lines = refused.errors.all.joined()
            #expect(lines.contains(said) && lines.contains("CAP_NET_ADMIN") && lines.contains("meta skuid"))

            _ = try scene.file("tapline.yaml", text("allow: 10.0.0.0/8"))
            let program = try scene.start(words)
            try await program.errors.line(containing: " listens on ")
            _ = try scene.file("tapline.yaml", text("mark: 1"))
            // The file may have been read between truncation and writing, and rejected because of that.
            _ = try await program.errors.first { $0.contains("reload rejected") && $0.contains(said) }
            try await program.send(SIGTERM)
            #expect(try await program.exit() == .exited(0))
        }
    }
}
