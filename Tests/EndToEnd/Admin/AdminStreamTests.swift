import Foundation
import Testing

/// Streams, and clients that leave them.
struct AdminStreamTests {
    private static let options = ["--admin", "127.0.0.1:0"]

    @Test(.needs("python3", "curl")) func clientsThatLeaveBeforeTheirAnswer_keepNoPlace() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward(
                "127.0.0.1:0:\(try await puppet.listen("upstream"))", options: Self.options)
            let admin = try await scene.admin(of: tapline)
            try await puppet.connect("client", to: tapline.address)
            try await puppet.accept("server", from: "upstream")
            // Neither slots for streams nor those for taps.
            let (tap, events) = ("/v1/tap?connection=1", "/v1/events")
            for (path, stream, places) in [(tap, events, 32), (events, events, 32), (tap, tap, 16)] {
                let said = try await scene.run(
                    Scene.peer("leavers.py") + [admin.address, path, "400", stream, "\(places)"])
                #expect(said == "{\"streams\": \(places)}", "\(path), then \(stream)")
            }
            try await tapline.stop()
        }
    }

    /// A client that sends a request and ends its half gets the answer, also a list that comes in pieces.
    @Test(.needs("nc"), arguments: ["/v1/connections", "/v1/relays"])
    func answerToAClientThatEndsItsHalf_isWhole(_ path: String) async throws {
        try await scene { scene in
            let tapline = try await scene.forward("127.0.0.1:0:127.0.0.1:1", options: Self.options)
            let port = try #require(try await scene.admin(of: tapline).address.split(separator: ":").last)
            let answer = try await scene.run(
                "sh", "-c",
                "printf 'GET \(path) HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n' | nc -N 127.0.0.1 \(port)")
            #expect(answer.hasPrefix("HTTP/1.1 200 OK") && answer.contains("}"), "\(answer)")
            try await tapline.stop()
        }
    }

    /// No traffic passes, so no write could fail.
    @Test(.needs("python3", "curl"), arguments: ["/v1/tap", "/v1/events"])
    func streamWhoseClientEndsItsHalf_isClosed_alsoWhileNothingPasses(_ path: String) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward("127.0.0.1:0:127.0.0.1:1", options: Self.options)
            let admin = try await scene.admin(of: tapline)
            let request = "GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n"
            // One more than there are slots for taps.
            for number in 0..<17 {
                try await puppet.connect("client \(number)", to: admin.address)
                try await puppet.send("client \(number)", request)
                #expect(try await puppet.receive("client \(number)", count: 12).text == "HTTP/1.1 200")
                try await puppet.finish("client \(number)")
                _ = try await puppet.receiveToEnd("client \(number)")
            }
            // Ending its half before the answer begins makes no difference.
            try await puppet.connect("client", to: admin.address)
            try await puppet.send("client", request)
            try await puppet.finish("client")
            _ = try await puppet.receiveToEnd("client")
            try await tapline.stop()
        }
    }

    @Test(.needs("python3", "curl")) func tapsWhoseProcessDies_leaveTheirPlaces_alsoWhileNothingPasses() async throws {
        try await scene { scene in
            let tapline = try await scene.forward("127.0.0.1:0:127.0.0.1:1", options: Self.options)
            let admin = try await scene.admin(of: tapline)
            for _ in 0..<2 {
                let said = try await scene.run(Scene.peer("leavers.py") + [admin.address, "/", "0", "/v1/tap", "16"])
                #expect(said == "{\"streams\": 16}")
            }
            try await tapline.stop()
        }
    }

    @Test(.needs("python3", "curl")) func wholeAnswer_isSentToAClientThatHasEndedItsHalf() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward("127.0.0.1:0:127.0.0.1:1", options: Self.options)
            let admin = try await scene.admin(of: tapline)
            try await puppet.connect("client", to: admin.address)
            try await puppet.send("client", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try await puppet.finish("client")
            let answer = try await puppet.receiveToEnd("client")
            // If a worker gets no CPU time for two seconds, the answer reports it; it is complete, too.
            let isWhole = answer.text.map { $0.hasPrefix("HTTP/1.1 200 ") || $0.hasPrefix("HTTP/1.1 503 ") } == true
            #expect(isWhole && answer.end == "fin", "\(answer)")
            try await tapline.stop()
        }
    }

    /// A machine that vanishes sends no FIN; the system's keepalive probes detect it.
    @Test(.needs("python3", "curl", "ss")) func clientsOfStreams_areProbed_whileNothingPasses() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let tapline = try await scene.forward("127.0.0.1:0:127.0.0.1:1", options: Self.options)
            let admin = try await scene.admin(of: tapline)
            try await puppet.connect("client", to: admin.address)
            try await puppet.send("client", "GET /v1/tap HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try await puppet.receive("client", count: 12)
            let port = admin.address.split(separator: ":").last ?? ""
            try await scene.eventually("a keepalive timer") {
                try await scene.run("ss", "-Htno", "sport = :\(port)").contains("timer:(keepalive,")
            }
            try await tapline.stop()
        }
    }
}
