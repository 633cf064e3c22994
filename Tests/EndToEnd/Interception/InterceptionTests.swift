import Foundation
import TestSupport
import Testing

/// An application whose connections firewall rules redirect through Tapline without its knowledge.
@Suite(.needsNetworkNamespace, .needs("curl", "ip", "nft", "nginx", "nsenter", "python3", "unshare"))
struct InterceptionTests {
    private static func relays(_ recordings: String, mark: Bool) -> String {
        """
          - name: outgoing
            listen: 15001
            upstream: original-destination
            \(mark ? "interception: { mark: 0x7a70 }" : "")
            record: { directory: \(recordings) }
          - name: incoming
            listen: "*:15006"
            upstream: original-destination
            interception: { allow: [10.77.0.1, "fd77::1"] }
            record: { directory: \(recordings) }
        """
    }

    /// An nginx that requests from another nginx what its clients request: both its clients' connections and its own
    /// pass through Tapline, over both families, and only Tapline's records show it.
    @Test(.needs("setpriv", "tshark"), .needsRoot, arguments: ["mark", "user"])
    func application_withAllItsTrafficRedirected_isServedAndRecorded(exclusion: String) async throws {
        try await neighbourhood { neighbours in
            let scene = neighbours.scene
            let (here, there) = (neighbours.here, neighbours.there)
            let (near, far) = (try scene.puppet(before: here.before), try scene.puppet(before: there.before))
            let book = try scene.file("book", (0..<300_000).map { "\($0 &* 2_654_435_761 % 1_000_003)\n" }.joined())
            try await neighbours.nginx(
                "far", in: there, at: Neighbours.there4,
                "server { listen 10.77.0.2:80; listen [fd77::2]:80; root \(scene.folder); }", far)
            try await neighbours.nginx(
                "application", in: here, at: Neighbours.here4,
                """
                server { listen 10.77.0.1:80; location / { proxy_pass http://10.77.0.2; } }
                server { listen [fd77::1]:80; location / { proxy_pass http://[fd77::2]; } }
                """, near)

            let recordings = scene.path("recordings")
            try Files.makeDirectory(recordings)
            try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: recordings)
            let configuration = try scene.file(
                "tapline.yaml",
                "log: { format: json }\nrelays:\n" + Self.relays(recordings, mark: exclusion == "mark") + "\n")
            let binary = try scene.publicBinary()
            let user = exclusion == "mark" ? [] : Scene.ordinaryUser
            let program = try scene.start(here.before + user + [binary, "run", "--config", configuration])
            _ = try await program.errors.first(4) { $0.contains(" listens on ") }
            let tapline = TaplineProcess(program: program, pid: try await program.pid(), listeners: [])

            // Connections that were open before the rules stay as they are.
            let port = try await far.listen("old", "10.77.0.2:0")
            try await near.connect("old", to: port)
            try await far.accept("old'", from: "old")
            try await neighbours.load(exclusion == "mark" ? "outgoing.nft" : "outgoing-by-user.nft", user: "65534")
            try await neighbours.load("incoming.nft")
            try await near.send("old", "still here?")
            #expect(try await far.receive("old'", count: 11).text == "still here?")

            let copy = scene.path("copy")
            for (url, ip) in [("http://10.77.0.1/book", "10.77.0.1 80"), ("http://[fd77::1]/book", "fd77::1 80")] {
                #expect(try await neighbours.curl(from: there, url, to: copy) == ip)
                try await scene.run("cmp", book, copy)
            }
            // For the application it is connected to the server itself.
            #expect(try await neighbours.curl(from: here, "http://10.77.0.2/book", to: copy) == "10.77.0.2 80")
            try await scene.run("cmp", book, copy)

            let records = try await tapline.records(5)
            let paths = records.map { record in
                "\(record.relay) \(record.client.prefix { $0 != "]" }.prefix(9)) \(record.upstreamAddress ?? "-")"
            }
            #expect(
                paths.sorted() == [
                    "incoming 10.77.0.2 10.77.0.1:80", "incoming [fd77::2 [fd77::1]:80",
                    "outgoing 10.77.0.1 10.77.0.2:80", "outgoing 10.77.0.1 10.77.0.2:80",
                    "outgoing [fd77::1 [fd77::2]:80",
                ])
            for record in records {
                #expect(record.upstream == "original-destination" && record.reason.hasSuffix("_closed"), "\(record)")
                #expect(record.bytesDown > 1_500_000)
                #expect(record.recordedBytes == record.bytesUp + record.bytesDown && record.droppedBytes == 0)
            }
            try await near.finish("old")
            #expect(try await far.receiveToEnd("old'").end == "fin")
            #expect(try await tapline.stop().count == 5, "Tapline's own connections do not come back to it")

            // The recording has the application's connections, with the server's own address.
            let files = try FileManager.default.contentsOfDirectory(atPath: recordings).sorted()
            #expect(files.count == 2)
            let outgoing = try #require(files.first { $0.hasPrefix("outgoing.") }).description
            let dissection = Dissection(scene: scene, path: "\(recordings)/\(outgoing)")
            #expect(try await dissection.faults() == [])
            let requests = try await dissection.fields(
                ["ip.dst", "ipv6.dst", "tcp.dstport", "http.request.uri"], where: "http.request")
            // Workers report connections in any order.
            #expect(
                requests.sorted { $0[0] < $1[0] } == [
                    ["", "fd77::2", "80", "/book"], ["10.77.0.2", "", "80", "/book"], ["10.77.0.2", "", "80", "/book"],
                ])
            let shown = try await scene.run(TaplineProcess.binary, "show", "\(recordings)/\(outgoing)")
            #expect(shown.contains("  10.77.0.2:80 ") && shown.contains("  [fd77::2]:80 "), "\(shown)")
            #expect(shown.components(separatedBy: "HTTP GET /book 200").count == 4, "\(shown)")
        }
    }

    /// The new process gets the listeners, and knows the original destinations of clients.
    @Test func upgrade_continuesIntercepting() async throws {
        try await neighbourhood { neighbours in
            let bench = try await ReloadBench(neighbours.scene)
            let (near, far) = (
                try bench.scene.puppet(before: neighbours.here.before),
                try bench.scene.puppet(before: neighbours.there.before)
            )
            let port = try await far.listen("far", "\(Neighbours.there4):0")
            try Files.write(
                "log: { format: json }\nrelays:\n"
                    + Self.relays(bench.scene.path("recordings"), mark: true) + "\n", to: bench.path)
            try await bench.lineage(relays: 4, before: neighbours.here.before) { lineage in
                try await neighbours.load("outgoing.nft")
                for name in ["before", "after"] {
                    try await near.connect(name, to: port)
                    try await far.accept(name + "'", from: "far")
                    try await near.send(name, "question")
                    #expect(try await far.receive(name + "'", count: 8).text == "question")
                    if name == "before" { try await lineage.upgrade() }
                }
                for name in ["before", "after"] {
                    try await far.send(name + "'", "answer")
                    #expect(try await near.receive(name, count: 6).text == "answer")
                    try await near.finish(name)
                    try await far.receiveToEnd(name + "'")
                    try await far.finish(name + "'")
                    try await near.receiveToEnd(name)
                }
                let records = try await lineage.first.records(2)
                #expect(records.map(\.upstreamAddress) == [port, port])
                try lineage.send(SIGTERM)
                #expect(try await lineage.finish(bench.scene) == "status 0")
            }
        }
    }

    /// An ordinary relay marks nothing: its connections are redirected once, like others, and reach the upstream.
    @Test func ordinaryRelay_nextToAnInterceptingOne_getsThereThroughIt() async throws {
        try await neighbourhood { neighbours in
            let scene = neighbours.scene
            let (near, far) = (
                try scene.puppet(before: neighbours.here.before), try scene.puppet(before: neighbours.there.before)
            )
            let upstream = try await far.listen("far", "\(Neighbours.there4):0")
            let tapline = try await scene.run(
                relays: """
                      - { name: plain, listen: '127.0.0.1:8100', upstream: '\(upstream)' }
                      - { name: out, listen: 15001, upstream: original-destination, interception: { mark: 0x7a70 } }
                    """, listeners: 3, before: neighbours.here.before)
            try await neighbours.load("outgoing.nft")
            try await near.connect("client", to: "127.0.0.1:8100")
            try await far.accept("client'", from: "far")
            try await near.send("client", "question")
            #expect(try await far.receive("client'", count: 8).text == "question")
            try await near.close("client")
            try await far.receiveToEnd("client'")
            try await far.close("client'")
            let records = try await tapline.records(2)
            #expect(Set(records.map(\.relay)) == ["plain", "out"])
            #expect(records.allSatisfy { $0.upstreamAddress == upstream && $0.bytesUp == 8 })
            try await tapline.stop()
        }
    }

    /// A socket of both families, as a service manager creates it: an IPv4 client is tracked as IPv4.
    @Test(.needs("systemd-socket-activate"))
    func socketOfBothFamilies_knowsWhereEitherWantedToGo() async throws {
        try await neighbourhood { neighbours in
            let scene = neighbours.scene
            let (near, far) = (
                try scene.puppet(before: neighbours.here.before), try scene.puppet(before: neighbours.there.before)
            )
            let configuration = try scene.file(
                "tapline.yaml",
                """
                log: { format: json }
                relays:
                  - { name: both, listen: "*:15006", upstream: original-destination }

                """)
            let program = try scene.start(
                neighbours.here.before + [
                    "systemd-socket-activate", "--listen", "[::]:15006", TaplineProcess.binary, "run", "--config",
                    configuration,
                ])
            try await program.errors.line(containing: " as 3")
            try await neighbours.load("incoming.nft")
            for (name, host) in [("four", Neighbours.here4), ("six", Neighbours.here6)] {
                _ = try await near.listen(name, "\(host):443")
                try await far.connect(name, to: "\(host):443")
                try await near.accept(name + "'", from: name)
                try await far.send(name, "question")
                #expect(try await near.receive(name + "'", count: 8).text == "question")
                try await far.close(name)
                try await near.receiveToEnd(name + "'")
                try await near.close(name + "'")
            }
            let records = try await program.output.first(2, where: EndRecord.isRecord).map(EndRecord.init(json:))
                .sorted { $0.id < $1.id }
            #expect(records.map(\.upstreamAddress) == ["10.77.0.1:443", "[fd77::1]:443"])
            #expect(Set(records.map(\.listener)) == ["[::]:15006"])
            try await program.send(SIGTERM)
            try await program.exit()
        }
    }

    /// The PROXY header names the client and the client's original destination.
    @Test func proxyHeader_namesTheClientAndWhereItWantedToGo() async throws {
        try await neighbourhood { neighbours in
            let scene = neighbours.scene
            let (near, far) = (
                try scene.puppet(before: neighbours.here.before), try scene.puppet(before: neighbours.there.before)
            )
            _ = try await near.listen("service", "10.77.0.1:443")
            let tapline = try await scene.forward(
                "*:15006:original-destination", options: ["--send-proxy", "v1"], listeners: 2,
                before: neighbours.here.before)
            try await neighbours.load("incoming.nft")
            let client = try await far.connect("client", to: "10.77.0.1:443").split(separator: ":")[1]
            try await near.accept("client'", from: "service")
            let header = "PROXY TCP4 10.77.0.2 10.77.0.1 \(client) 443\r\n"
            #expect(try await near.receive("client'", count: header.utf8.count).text == header)
            try await far.close("client")
            try await near.receiveToEnd("client'")
            try await near.close("client'")
            #expect(try await tapline.records()[0].upstreamAddress == "10.77.0.1:443")
        }
    }
}
