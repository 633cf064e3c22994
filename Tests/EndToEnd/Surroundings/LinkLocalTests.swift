import Foundation
import Glibc
import TestSupport
import Testing

/// Link-local addresses, which are valid only together with an interface (RFC 4007).
@Suite(.needs("python3", "ip", "nsenter"), .needsNetworkNamespace)
struct LinkLocalTests {
    /// Gives both ends of the wire addresses.
    private func addAddresses(_ neighbours: Neighbours) async throws {
        for (network, number) in [(neighbours.here, 1), (neighbours.there, 2)] {
            try await neighbours.scene.run(
                network.before + ["ip", "address", "add", "fe80::\(number)/64", "dev", "wire", "nodad"])
        }
    }

    /// Recreates the wire: its interfaces then have other indexes.
    private func replaceWire(_ neighbours: Neighbours) async throws {
        let (here, there, scene) = (neighbours.here, neighbours.there, neighbours.scene)
        try await scene.run(
            here.before + [
                "ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", there.before[2],
            ])
        for network in [here, there] {
            try await scene.run(network.before + ["ip", "link", "set", "wire", "up"])
        }
        try await addAddresses(neighbours)
    }

    @Test func addresses_areShownByTheirInterfaceName_andLookedUpAgain() async throws {
        try await neighbourhood { neighbours in
            let (here, there, scene) = (neighbours.here, neighbours.there, neighbours.scene)
            try await addAddresses(neighbours)
            let (inside, outside) = (try scene.puppet(before: here.before), try scene.puppet(before: there.before))
            let upstream = try await outside.listen("upstream", "[fe80::2%wire]:0")
            #expect(upstream.hasPrefix("[fe80::2%wire]:"))
            let front = "[fe80::1%wire]:8080"
            let tapline = try await scene.run(
                relays: """
                      - { name: web, listen: ['127.0.0.1:8081', '\(front)'], upstream: '\(upstream)' }
                    """,
                more:
                    "admin: { listen: '[fe80::1%wire]:9180', token_file: \(try scene.file("token", "token-1234567")) }",
                listeners: 2, before: here.before)
            #expect(tapline.listeners == ["127.0.0.1:8081", front])
            let client = try await outside.connect("client", to: front)
            try await outside.accept("server", from: "upstream")
            try await outside.send("client", "hello")
            #expect(try await outside.receive("server", count: 5).text == "hello")
            // The API is reached by its address with a zone, from either side; Host has no zone.
            for network in [here, there] {
                let status = try await scene.run(
                    network.before + [
                        TaplineProcess.binary, "status", "--json", "--admin", "[fe80::1%wire]:9180", "--token-file",
                        scene.path("token"),
                    ])
                #expect(status.contains("\"version\""))
            }
            try await outside.close("client")
            try await outside.close("server")
            let first = try await tapline.records(1)[0]
            #expect(first.client == client && client.contains("%wire]"))
            #expect(first.listener == front && first.upstream == upstream && first.upstreamAddress == upstream)

            // The interface is removed: that is reported, and nothing else changes.
            try await scene.run(here.before + ["ip", "link", "delete", "wire"])
            try await inside.connect("failing", to: "127.0.0.1:8081")
            #expect(try await inside.receiveToEnd("failing").end == "reset")
            let second = try await tapline.records(2)[1]
            #expect(second.reason == "connect_unreachable" && second.errno == "ENODEV", "\(second)")
            #expect(second.upstream == upstream && second.upstreamAddress == nil)

            // It is created again with another index: the upstream's is looked up at each connection.
            try await replaceWire(neighbours)
            _ = try await outside.listen("again", upstream)
            try await inside.connect("returning", to: "127.0.0.1:8081")
            try await outside.accept("server", from: "again")
            try await inside.send("returning", "again")
            #expect(try await outside.receive("server", count: 5).text == "again")
            try await inside.close("returning")
            try await outside.close("server")
            #expect(try await tapline.records(3)[2].upstreamAddress == upstream)

            // A reload binds the listener again.
            try await tapline.program.send(SIGHUP)
            _ = try await tapline.program.errors.line(containing: "reloaded: ")
            try await outside.connect("client", to: front)
            try await outside.accept("server", from: "again")
            try await outside.close("client")
            try await outside.close("server")
            #expect(try await tapline.stop().count == 4)
        }
    }

    @Test func check_reportsAMissingZone() async throws {
        try await scene { scene in
            let path = try scene.file(
                "t.yaml",
                "relays:\n  - { name: a, listen: \"[fe80::1]:80\", upstream: \"[fe80::2]:80\" }\n")
            let check = try scene.start([TaplineProcess.binary, "check", path])
            #expect(try await check.exit() == .exited(78))
            let said = check.output.all + check.errors.all
            for (place, address) in [("2:24: `listen`", "fe80::1"), ("2:50: `upstream`", "fe80::2")] {
                #expect(
                    said.contains {
                        $0.contains(":\(place): `\(address)` is a link-local address and needs the interface")
                    }, "\(said)")
            }
        }
    }
}
