import Foundation
import Testing

/// Recordings of common programs as Wireshark shows them: every protocol under its own port.
struct ProtocolTests {
    @Test(.needs("curl", "python3", "tshark", "unshare", "nft"), .needsNetworkNamespace)
    func http_overAConnectionThatIsKept_isDissected() async throws {
        try await scene { scene in
            let network = try await scene.network()
            try FileManager.default.createDirectory(atPath: scene.path("files"), withIntermediateDirectories: false)
            let sizes = ["small": 3, "middle": 40_000, "big": 3_000_000]
            for (name, size) in sizes {
                _ = try scene.file("files/\(name)", String(repeating: "\(name) ", count: size))
            }
            let server = try scene.start(
                network.before + [
                    "python3", "-u", "-m", "http.server", "80", "--bind", "127.0.0.1", "--protocol", "HTTP/1.1",
                    "--directory", scene.path("files"),
                ])
            try await server.output.line(containing: "Serving HTTP")
            let path = scene.path("http.pcapng")
            let tapline = try await scene.forward(
                "127.0.0.1:0:127.0.0.1:80", options: ["--record", path], before: network.before)
            let names = ["small", "big", "middle", "small"]
            let got = try await scene.run(
                network.before + ["curl", "-sS", "--fail", "-w", "%{num_connects} "]
                    + names.flatMap { ["-o", scene.path("got-\($0)"), "http://\(tapline.address)/\($0)"] })
            #expect(got == "1 0 0 0 ")
            let record = try #require(try await tapline.stop().first)
            let wireshark = Dissection(scene: scene, path: path)
            try await wireshark.expectWhole([0: .whole])
            let requests = try await wireshark.fields(
                ["http.request.uri", "tcp.stream", "tcp.dstport"], where: "http.request")
            #expect(requests == names.map { ["/\($0)", "0", "80"] })
            let answers = try await wireshark.fields(["http.response.code"], where: "http.response")
            #expect(answers == names.map { _ in ["200"] })
            let followed = try await scene.follow(path)
            #expect(followed.first.isWhole(record.bytesUp) && followed.second.isWhole(record.bytesDown))
            // The extracted files are the original ones.
            try await scene.run("tshark", "-r", path, "-q", "--export-objects", "http,\(scene.path("out"))")
            for name in sizes.keys {
                try await scene.run("cmp", scene.path("files/\(name)"), scene.path("out/\(name)"))
            }
        }
    }

    @Test(
        .needs("redis-server", "redis-cli", "redis-benchmark", "python3", "tshark", "unshare", "nft"),
        .needsNetworkNamespace)
    func redis_withAndWithoutPipelining_isDissected() async throws {
        try await scene(.heavy) { scene in
            let network = try await scene.network()
            let server = try scene.start(
                network.before + [
                    "redis-server", "--port", "6379", "--bind", "127.0.0.1", "--save", "", "--dir", scene.folder,
                ])
            try await server.output.line(containing: "eady to accept connections")
            let path = scene.path("redis.pcapng")
            let tapline = try await scene.forward(
                "127.0.0.1:0:127.0.0.1:6379", options: ["--record", path], before: network.before)
            let port = "\(tapline.port)"
            let set = ["redis-cli", "-p", port, "set", "greeting", "Hello, server!"]
            #expect(try await scene.run(network.before + set) == "OK")
            for pipeline in ["1", "16"] {
                try await scene.run(
                    network.before
                        + ["redis-benchmark", "-p", port, "-n", "2000", "-c", "10", "-P", pipeline, "-t", "set", "-q"])
            }
            let records = try await tapline.stop()
            #expect(records.count > 20)
            let wireshark = Dissection(scene: scene, path: path)
            let facts = try await scene.facts(of: [path])
            #expect(facts.troubles == [] && facts.missing == 0)
            try await wireshark.expectWhole(expected(facts))
            for record in records {
                let one = try #require(facts.conversations.first { $0.id == record.id })
                #expect(one.up.count == record.bytesUp && one.down.count == record.bytesDown)
                #expect(one.reason == record.reason && one.recorded == record.recordedBytes)
            }
            let texts = try await wireshark.fields(["resp.bulk_string.value"], where: "tcp.stream == 0 and resp")
            // Wireshark shows bytes as hexadecimal digits.
            #expect(
                texts.contains { $0[0].contains("48656c6c6f2c2073657276657221") || $0[0].contains("Hello, server!") })
            let followed = try await scene.follow(path)
            #expect(followed.first == facts.conversations[0].up && followed.second == facts.conversations[0].down)
        }
    }

    /// The completeness that Wireshark must find for each stream, in the order in which they begin.
    private func expected(_ facts: RecordingFacts) -> [Int: Int] {
        var streams: [Int: Int] = [:]
        for (number, one) in facts.conversations.enumerated() {
            let data = one.up.count + one.down.count > 0 ? 8 : 0
            streams[number] = 7 + data + (one.ends > 0 ? 16 : 0) + (one.isReset ? 32 : 0)
        }
        return streams
    }

    private static let postgres: String? = {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return versions.sorted().last.map { "\(root)/\($0)/bin" }
    }()

    @Test(
        .needs("psql", "python3", "tshark", "unshare", "nft", "setpriv"), .needsRoot, .needsNetworkNamespace,
        .enabled(if: postgres != nil, "not installed (Debian package: postgresql)"))
    func postgres_queriesAndCopies_areDissected() async throws {
        try await scene { scene in
            let network = try await scene.network()
            let programs = try #require(Self.postgres)
            let folder = scene.path("postgres")
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
            try FileManager.default.setAttributes([.ownerAccountID: 65534], ofItemAtPath: folder)
            // It refuses to run as root.
            let user = network.before + Scene.ordinaryUser
            try await scene.run(
                user + ["\(programs)/initdb", "-D", "\(folder)/data", "-U", "tester", "-A", "trust", "--no-sync"])
            let server = try scene.start(
                user + ["\(programs)/postgres", "-D", "\(folder)/data", "-h", "127.0.0.1", "-k", folder, "-F"])
            try await server.errors.line(containing: "ready to accept connections")
            let path = scene.path("postgres.pcapng")
            let tapline = try await scene.forward(
                "127.0.0.1:0:127.0.0.1:5432", options: ["--record", path], before: network.before)
            let answer = try await scene.run(
                network.before + [
                    "psql", "-XAtq",
                    "host=127.0.0.1 port=\(tapline.port) user=tester dbname=postgres gssencmode=disable",
                    "-c", "create table t as select i, repeat('x', 100) as x from generate_series(1, 20000) as i",
                    "-c", "copy t to stdout with (format text)", "-c", "select count(*) from t",
                ])
            #expect(answer.components(separatedBy: "\n").count == 20_001 && answer.hasSuffix("\n20000"))
            let record = try #require(try await tapline.stop().first)
            let wireshark = Dissection(scene: scene, path: path)
            try await wireshark.expectWhole([0: .whole])
            let queries = try await wireshark.fields(["pgsql.query"], where: "pgsql.query")
            #expect(queries.count == 3 && queries.last == ["select count(*) from t"])
            #expect(try await wireshark.count(where: "pgsql.type == \"Copy data\"") > 0)
            let followed = try await scene.follow(path)
            #expect(followed.first.isWhole(record.bytesUp) && followed.second.isWhole(record.bytesDown))
            try await server.send(SIGINT)
            try await server.exit()
        }
    }
}
