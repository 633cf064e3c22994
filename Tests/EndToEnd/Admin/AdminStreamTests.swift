import Foundation
import Testing

/// Answers that go on, and clients that leave them.
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
            // Neither of the streams, nor of those of them that are taps.
            let (tap, events) = ("/v1/tap?connection=1", "/v1/events")
            for (path, stream, places) in [(tap, events, 32), (events, events, 32), (tap, tap, 16)] {
                let said = try await scene.run(
                    Scene.peer("leavers.py") + [admin.address, path, "400", stream, "\(places)"])
                #expect(said == "{\"streams\": \(places)}", "\(path), then \(stream)")
            }
            try await tapline.stop()
        }
    }
}
