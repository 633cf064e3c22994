import Foundation
import Testing

/// `forward --print` with end records on the same output.
@Suite(.needs("python3", "curl"))
struct PrintOrderTests {
    @Test func endRecord_onTheSameOutput_followsTheBytesOfItsConnection() async throws {
        try await scene { scene in
            try Data(repeating: 0x61, count: 300_000).write(to: URL(fileURLWithPath: scene.path("big")))
            let server = try scene.start([
                "python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", scene.folder,
            ])
            let words = try await server.output.line(containing: " port ").split(separator: " ")
            let port = try #require(words.firstIndex(of: "port").map { words[$0 + 1] })
            let program = try scene.start(
                ["sh", "-c", "exec \"$@\" 2>&1", "sh", TaplineProcess.binary, "forward", "--print", "text"]
                    + ["127.0.0.1:0:127.0.0.1:\(port)", "127.0.0.1:0:127.0.0.1:1"])
            let lines = try await program.output.first(2) { $0.contains("listens on") }
            let addresses = lines.compactMap { $0.firstMatch(of: /listens on (\S+),/).map { String($0.1) } }
            for _ in 0..<5 {
                try await scene.run("curl", "-sS", "-o", "/dev/null", "http://\(addresses[0])/big")
            }
            // A refused connection has no bytes, and its lines all the same.
            try await scene.run("sh", "-c", "curl -sS http://\(addresses[1])/ 2>/dev/null || true")
            _ = try await program.output.first(6) { $0.hasPrefix("time=") }
            try await program.send(SIGTERM)
            #expect(try await program.exit() == .exited(0))
            let all = program.output.all
            for id in 1...6 {
                func places(_ matches: (String) -> Bool) -> [Int] { all.indices.filter { matches(all[$0]) } }
                let opened = places { $0.contains(" #\(id) opened, ") }
                let bytes = places { $0.contains(" #\(id) client ") }
                let closed = places { $0.contains(" #\(id) closed by ") }
                let record = places { $0.hasPrefix("time=") && $0.contains(" id=\(id) ") }
                #expect(opened.count == 1 && closed.count == 1 && record.count == 1, "\(id)")
                #expect((id == 6) == bytes.isEmpty)
                let order = opened + bytes + closed + record
                #expect(order == order.sorted(), "\(id)")
            }
            #expect(all.contains { $0.contains(" #6 closed by upstream, connect_refused (ECONNREFUSED), up 0 B, ") })
        }
    }
}
