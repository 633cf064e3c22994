import Foundation
import TestSupport
import Testing

/// Real clients that close without reading the end of TLS, and clients that do not accept the certificate.
@Suite(.needs("python3", "openssl"))
struct TLSLeaversTests {
    /// A body of this size is acknowledged before the client can close, because it fills a segment of the loopback.
    private static let size = 100_000

    private static let python = """
        import sys, urllib.request
        for _ in range(10):
            with urllib.request.urlopen(sys.argv[1]) as answer:
                assert answer.status == 200 and len(answer.read()) == int(sys.argv[2])
        """

    @Test(.needs("wget"), arguments: ["python3", "wget"])
    func client_thatLeavesTheEndUnread_isNoFailure(client: String) async throws {
        try await scene { scene in
            _ = try scene.authority(for: "localhost")
            let files = scene.path("files")
            try FileManager.default.createDirectory(atPath: files, withIntermediateDirectories: false)
            try Data(repeating: 7, count: Self.size).write(to: URL(fileURLWithPath: files + "/body"))
            let port = try scene.freePort()
            let server = try scene.start([
                "python3", "-u", "-m", "http.server", "\(port)", "--bind", "127.0.0.1", "--directory", files,
            ])
            try await server.output.line(containing: "Serving HTTP")
            let tapline = try await scene.secure(
                upstream: "127.0.0.1:\(port)", "tls: { certificates: { chain: localhost.crt, key: localhost.key } }")
            let url = "https://localhost:\(tapline.port)/body"
            if client == "wget" {
                for _ in 0..<10 {
                    try await scene.run(
                        "wget", "-q", "--no-proxy", "--ca-certificate", scene.path("ca.crt"), "-O", "/dev/null", url)
                }
            } else {
                try await scene.run(
                    "env", "SSL_CERT_FILE=\(scene.path("ca.crt"))", "no_proxy=*", "python3", "-c", Self.python, url,
                    "\(Self.size)")
            }
            let records = try await tapline.records(10)
            for record in records {
                #expect(record.reason.hasSuffix("_closed") && record.serverName == "localhost", "\(record)")
                #expect(record.bytesDown > Self.size)
            }
            try await tapline.stop()
        }
    }

    @Test(.needs("curl"), arguments: [[], ["--tls-max", "1.2"]])
    func client_thatDoesNotAcceptTheCertificate_isKnownByItsAlert(options: [String]) async throws {
        try await scene { scene in
            _ = try scene.authority(for: "front.example")
            let upstream = try await scene.listening("secure.py", "echo")
            let tapline = try await scene.secure(upstream: upstream, Scene.frontTLS)
            for _ in 0..<20 {
                await #expect(throws: Failure.self) {
                    try await scene.run(
                        ["curl", "-sS", "--noproxy", "*", "--max-time", "60"] + options
                            + ["https://127.0.0.1:\(tapline.port)/"])
                }
            }
            for record in try await tapline.records(20) {
                #expect(record.reason == "tls_certificate_refused" && record.closedBy == "client", "\(record)")
                #expect(record.tlsFault == "the client sent the alert unknown_ca")
            }
            #expect(try await scene.why().contains("It was the client that refused Tapline."))
            try await tapline.stop()
        }
    }
}
