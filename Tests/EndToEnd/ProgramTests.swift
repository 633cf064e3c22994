import Foundation
import Testing

/// Common programs through the relay.
struct ProgramTests {
    @Test(.needs("curl", "python3")) func curl_of200MiB_getsTheSameBytes() async throws {
        try await scene(.heavy) { scene in
            let size = 200 << 20
            try await scene.run(
                "python3", "-c",
                "import random; open('\(scene.path("big"))', 'wb').write(random.Random(7).randbytes(1 << 20) * 200)"
            )
            let server = try scene.start([
                "python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", scene.folder,
            ])
            // Serving HTTP on 127.0.0.1 port 40405 (http://127.0.0.1:40405/) ...
            let words = try await server.output.line(containing: " port ").split(separator: " ")
            let port = try #require(words.firstIndex(of: "port").map { words[$0 + 1] })
            let tapline = try await scene.forward("127.0.0.1:0:127.0.0.1:\(port)")
            let sizes = try await scene.run(
                ["curl", "-sS", "--fail", "-o", scene.path("got"), "-w", "%{size_header} %{size_download}"]
                    + ["http://\(tapline.address)/big"], within: .seconds(300))
            #expect(try await sum(of: "got", in: scene) == sum(of: "big", in: scene))
            let counts = sizes.split(separator: " ").compactMap { UInt64($0) }
            #expect(counts.last == UInt64(size))
            let record = try await tapline.records()[0]
            #expect(record.bytesDown == counts.reduce(0, +))
            // HTTP/1.0: the server closes after its answer, and curl when it has the promised number of bytes.
            #expect(["client_closed", "upstream_closed"].contains(record.reason))
        }
    }

    private func sum(of name: String, in scene: Scene) async throws -> Substring? {
        try await scene.run("sha256sum", scene.path(name)).split(separator: " ").first
    }

    @Test(.needs("redis-server", "redis-cli", "redis-benchmark"))
    func redisBenchmark_withAndWithoutPipelining_hasNoErrors() async throws {
        try await scene(.heavy) { scene in
            let socket = scene.path("redis.sock")
            let server = try scene.start([
                "redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", scene.folder,
            ])
            try await server.output.line(containing: "eady to accept connections")
            // Without an API, whose socket may be bound after the first count.
            let tapline = try await scene.forward("127.0.0.1:0=unix:\(socket)", options: ["--admin", "off"])
            let port = "\(tapline.port)"
            let idle = try await tapline.steadyFooting(in: scene).descriptors["socket"]
            let answer = try await scene.run("redis-cli", "-p", port, "set", "greeting", "Hello, server!")
            #expect(answer == "OK")
            #expect(try await scene.run("redis-cli", "-p", port, "get", "greeting") == "Hello, server!")
            for pipeline in ["1", "16"] {
                let report = try await scene.run(
                    ["redis-benchmark", "-p", port, "-n", "20000", "-c", "50", "-P", pipeline, "-t", "set,get", "-q"],
                    within: .seconds(180))
                #expect(report.components(separatedBy: "requests per second").count == 3)
                #expect(!report.lowercased().contains("error"))
            }
            // A connection that is open when it stops is reset after two seconds, also if the client has closed by
            // then.
            try await scene.eventually("every connection has ended") {
                try tapline.footing().descriptors["socket"] == idle
            }
            let records = try await tapline.stop()
            #expect(records.count > 100)
            #expect(records.allSatisfy { ["client_closed", "client_reset"].contains($0.reason) })
        }
    }

    @Test(
        .needs("iperf3"),
        arguments: [
            ["-n", "400M"], ["-n", "400M", "-R"], ["-n", "200M", "-P", "4"], ["-n", "200M", "-R", "-P", "4"],
        ])
    func iperf3_bothWays_countsWhatTheRecordsCount(options: [String]) async throws {
        try await scene(.heavy) { scene in
            let puppet = try scene.puppet()
            let upstream = try await puppet.listen("port")
            try await puppet.close("port")
            let server = try scene.start([
                "iperf3", "-s", "-1", "--forceflush", "-B", "127.0.0.1", "-p", "\(upstream.split(separator: ":")[1])",
            ])
            try await server.output.line(containing: "Server listening")
            let tapline = try await scene.forward("127.0.0.1:0:\(upstream)")
            let report = try await scene.run(
                ["iperf3", "-c", "127.0.0.1", "-p", "\(tapline.port)", "--json"] + options, within: .seconds(300))
            let result = try JSONDecoder().decode(IperfReport.self, from: Data(report.utf8))
            #expect(result.error == nil)
            #expect(result.end?.sum_received.bytes ?? 0 > 0)
            try await server.exit()
            let streams = options.contains("-P") ? 4 : 1
            // One more connection: iperf3's control connection.
            let records = try await tapline.records(streams + 1)
            #expect(records.count == streams + 1)
            let moved = records.map { options.contains("-R") ? $0.bytesDown : $0.bytesUp }.reduce(0, +)
            #expect(moved >= result.end?.sum_received.bytes ?? .max)
        }
    }
}

private struct IperfReport: Decodable {
    struct End: Decodable {
        var sum_received: Sum
    }

    struct Sum: Decodable {
        var bytes: UInt64
    }

    var error: String?
    var end: End?
}
