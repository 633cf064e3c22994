import Foundation
import Testing

/// Upstreams that cannot be connected, each in its own network namespace.
@Suite(.needsNetworkNamespace, .needs("curl", "ip", "nft", "nsenter", "python3", "unshare"))
struct ConnectTests {
    /// Connects to a relay whose upstream cannot be reached, and returns the record.
    private func fail(_ puppet: Puppet, _ tapline: TaplineProcess) async throws -> EndRecord {
        try await puppet.connect("client", to: tapline.address)
        #expect(try await puppet.receiveToEnd("client").end == "reset")
        try await puppet.close("client")
        return try await tapline.records()[0]
    }

    @Test func upstream_inABlackHole_timesOutAsConfigured() async throws {
        try await scene { scene in
            let network = try await scene.network()
            let puppet = try scene.puppet(before: network.before)
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(Network.blackHole):80", options: ["--connect-timeout", "1500ms"], before: network.before)
            let record = try await fail(puppet, tapline)
            #expect(record.reason == "connect_timeout" && record.closedBy == "tapline" && record.connectMs == nil)
            #expect(record.upstreamAddress == "\(Network.blackHole):80")
            // A deadline fires at most 250 ms late; the rest is for a busy machine, and less than the default.
            #expect((1450..<4750).contains(record.durationMs), "after \(record.durationMs) ms")
        }
    }

    @Test(arguments: [(Network.unreachable, "EHOSTUNREACH"), (Network.nowhere, "ENETUNREACH")])
    func upstream_thatCannotBeReached_endsAtOnce(address: String, errno: String) async throws {
        try await scene { scene in
            let network = try await scene.network()
            let puppet = try scene.puppet(before: network.before)
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(address):80", options: ["--connect-timeout", "30s"], before: network.before)
            let record = try await fail(puppet, tapline)
            #expect(record.reason == "connect_unreachable" && record.closedBy == "tapline" && record.errno == errno)
            #expect(record.durationMs < 15_000)
        }
    }

    /// RFC 8305: the second address is tried a quarter of a second after the first one, which does not answer.
    @Test func name_withADeadAddressFirst_isConnectedByTheOther() async throws {
        try await scene { scene in
            let network = try await scene.network(
                files: ["/etc/hosts": "\(Network.blackHole) two.example\n127.0.0.1 two.example\n"])
            let puppet = try scene.puppet(before: network.before)
            let port = try await puppet.listen("upstream").split(separator: ":")[1]
            let tapline = try await scene.forward(
                "127.0.0.1:0:two.example:\(port)", options: ["--connect-timeout", "30s"], before: network.before)
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            try await puppet.close("server")
            #expect(try await puppet.receiveToEnd("client").end == "fin")
            try await puppet.close("client")
            let record = try await tapline.records()[0]
            #expect(record.upstreamAddress == "127.0.0.1:\(port)" && record.reason == "upstream_closed")
            #expect(record.connectMs ?? .max < 15_000)
        }
    }

    @Test func name_thatDoesNotExist_endsAsNotFound() async throws {
        try await scene { scene in
            // Names are resolved from the file only.
            let network = try await scene.network(
                files: ["/etc/nsswitch.conf": "hosts: files\n", "/etc/hosts": "127.0.0.1 localhost\n"])
            let puppet = try scene.puppet(before: network.before)
            let tapline = try await scene.forward("127.0.0.1:0:absent.example:80", before: network.before)
            let record = try await fail(puppet, tapline)
            #expect(record.reason == "name_not_found" && record.closedBy == "tapline")
            #expect(record.upstreamAddress == nil)
        }
    }

    @Test func name_thatHidesTheRelayItself_endsAsALoop() async throws {
        try await scene { scene in
            let network = try await scene.network(files: ["/etc/hosts": "127.0.0.1 myself.example\n"])
            let puppet = try scene.puppet(before: network.before)
            let tapline = try await scene.forward("7000:myself.example:7000", listeners: 2, before: network.before)
            let record = try await fail(puppet, tapline)
            #expect(record.reason == "loop" && record.closedBy == "tapline")
            #expect(record.upstreamAddress == "127.0.0.1:7000")
        }
    }

    /// More names than there are lookup threads wait for an answer; clients that need no lookup are served at once, and
    /// so are requests to the admin API.
    @Test func nameService_thatDoesNotAnswer_delaysNoOtherClient() async throws {
        try await scene { scene in
            let network = try await scene.network(
                files: [
                    "/etc/nsswitch.conf": "hosts: files dns\n",
                    "/etc/resolv.conf": "nameserver \(Network.blackHole)\noptions timeout:30 attempts:1\n",
                ])
            let puppet = try scene.puppet(before: network.before)
            let upstream = try await puppet.listen("upstream")
            let upstreams = [("good", upstream)] + (0..<20).map { ("silent-\($0)", "s\($0).example:80") }
            let relays = upstreams.map { name, upstream in
                "  - { name: \(name), listen: '127.0.0.1:0', upstream: '\(upstream)', timeouts: { connect: 15s } }"
            }
            let tapline = try await scene.run(
                relays: relays.joined(separator: "\n"), more: "admin: { listen: 'unix:\(scene.path("admin.sock"))' }",
                listeners: upstreams.count, before: network.before)
            let admin = try await scene.admin(of: tapline)
            for (number, address) in tapline.listeners.dropFirst().enumerated() {
                try await puppet.connect("silent-\(number)", to: address)
            }
            for _ in 0..<5 {
                try await puppet.connect("client", to: tapline.address)
                try await puppet.accept("server", from: "upstream")
                try await puppet.close("server")
                #expect(try await puppet.receiveToEnd("client").end == "fin")
                try await puppet.close("client")
            }
            for path in ["/v1/status", "/v1/connections", "/metrics"] {
                // Not validated against the document, which takes longer than the answer.
                let start = ContinuousClock.now
                let said = try await scene.run(["curl", "-sS", "--max-time", "30"] + admin.target(path))
                #expect(!said.isEmpty && ContinuousClock.now - start < .seconds(10), "\(path) waited for a name")
            }
            // They came last and ended first, while the names are still being looked up.
            #expect(try await tapline.records(5).allSatisfy { $0.relay == "good" })
            let records = try await tapline.records(25)
            for record in records where record.relay != "good" {
                #expect(record.reason == "connect_timeout" && record.upstreamAddress == nil)
                #expect((14_950..<45_000).contains(record.durationMs), "after \(record.durationMs) ms")
            }
            let good = records.filter { $0.relay == "good" }
            #expect(good.count == 5 && good.allSatisfy { $0.connectMs ?? .max < 10_000 })

            // Cancelled lookups, which take another 15 seconds, do not delay the exit.
            try await tapline.program.send(SIGTERM)
            #expect(try await tapline.program.exit(within: .seconds(12)) == .exited(0))
        }
    }

    @Test func localPorts_allTaken_haveAReasonOfTheirOwn_andComeBack() async throws {
        try await scene { scene in
            let network = try await scene.network("echo 40000 40003 > /proc/sys/net/ipv4/ip_local_port_range")
            let puppet = try scene.puppet(before: network.before)
            let upstream = try await puppet.listen("upstream", "127.0.0.1:7000")
            // Clients connect by a Unix socket, so they use no ports.
            let tapline = try await scene.forward(
                "unix:\(scene.path("front.sock"))=\(upstream)", before: network.before)
            for number in 0..<4 {
                try await puppet.connect("client-\(number)", to: tapline.address)
                try await puppet.accept("server-\(number)", from: "upstream")
            }
            try await puppet.connect("client", to: tapline.address)
            try await puppet.receiveToEnd("client")
            let record = try await tapline.records()[0]
            #expect(record.reason == "no_local_port" && record.closedBy == "tapline")
            #expect(record.errno == "EADDRNOTAVAIL" && record.upstreamAddress == upstream)

            // The upstream ends first, so that the port is free again at once.
            try await puppet.close("server-0")
            try await puppet.receiveToEnd("client-0")
            try await puppet.close("client-0")
            _ = try await tapline.records(2)
            try await puppet.connect("again", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            try await puppet.send("server", "welcome")
            #expect(try await puppet.receive("again", count: 7).text == "welcome")
        }
    }

    @Test func system_withoutIPv6_isListenedOnByIPv4_andReportedOnce() async throws {
        try await scene { scene in
            let network = try await scene.network("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6")
            let puppet = try scene.puppet(before: network.before)
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.forward("0:\(upstream)", listeners: 1, before: network.before)
            #expect(tapline.listeners == ["127.0.0.1:\(tapline.port)"])
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            try await puppet.close("client")
            try await puppet.receiveToEnd("server")
            try await puppet.close("server")
            try await tapline.stop()
            let notices = tapline.program.errors.all.filter { $0.contains("no IPv6 on this system") }
            #expect(notices.count == 1 && notices[0].contains("\"level\":\"notice\""))
            #expect(tapline.program.errors.all.filter { $0.contains("listens on") }.count == 1)
        }
    }

    /// bbr paces loopback; the relay's own two sockets use another algorithm, unless configured otherwise.
    @Test(
        .enabled(if: Host.hasCongestionControl("bbr"), "this kernel does not have bbr loaded"), .needs("ss"),
        arguments: ["auto", "system"])
    func congestionControl_ofLoopbackSockets_doesNotPace(setting: String) async throws {
        try await scene { scene in
            let network = try await scene.network("echo bbr > /proc/sys/net/ipv4/tcp_congestion_control")
            let puppet = try scene.puppet(before: network.before)
            let upstream = try await puppet.listen("upstream")
            let tapline = try await scene.run(
                relays: "  - { name: web, listen: '127.0.0.1:0', upstream: '\(upstream)' }",
                more: "loopback_congestion_control: \(setting)", before: network.before)
            let client = try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            let shown = try await scene.run(network.before + ["ss", "-tinHO", "state", "established"])
            let sockets = shown.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            // Receive queue, send queue, own address, peer's address, then the facts.
            let clientLeg = try #require(sockets.first { $0[2] == tapline.address && $0[3] == client })
            let upstreamLeg = try #require(sockets.first { $0[3] == upstream })
            let peers = sockets.filter { $0[2] == client || $0[2] == upstream }
            #expect(peers.count == 2 && peers.allSatisfy { $0.contains("bbr") })
            #expect(clientLeg.contains("bbr") == (setting == "system"))
            #expect(upstreamLeg.contains("bbr") == (setting == "system"))
        }
    }
}
