import Foundation
import Glibc
import TestSupport
import Testing

/// nginx and HAProxy, each as the client that speaks TLS to Tapline and as the upstream that Tapline speaks TLS to.
@Suite(.needs("curl", "haproxy", "nginx", "openssl", "python3"))
struct TLSServerTests {
    /// A proxy that takes plain clients and speaks TLS to the next hop, which it verifies.
    enum Proxy: String, Sendable, CaseIterable {
        case haproxy, nginx
    }

    @Test(arguments: Proxy.allCases) func proxy_speaksTLSToTapline_withItsOwnCertificate(proxy: Proxy) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            _ = try scene.authority(for: "front.example", "proxy.example")
            let answers = try await scene.answeringHAProxy(puppet)
            let tapline = try await scene.secure(
                upstream: "127.0.0.1:\(answers)",
                "tls: { certificates: { chain: front.crt, key: front.key }, clients: { ca: ca.crt }, alpn: [http/1.1] }"
            )
            let port = try await scene.start(proxy, to: tapline.port, puppet)
            // The second connection may resume the first one's session.
            for _ in 0..<2 { #expect(try await scene.ask(port).first == "127.0.0.1") }
            // HAProxy has passed on the connection that waited for it, too.
            let records = try await tapline.records(proxy == .haproxy ? 3 : 2).filter { $0.bytesUp > 0 }
            #expect(records.count == 2)
            for record in records {
                #expect(record.tls?.hasPrefix("TLSv1.3 ") == true && record.tlsPeer == "proxy.example")
                #expect(record.reason.hasSuffix("_closed") && record.bytesUp > 0 && record.bytesDown > 0, "\(record)")
            }
            try await tapline.stop()
        }
    }

    /// HAProxy requires a certificate of its clients. nginx as the upstream is in `TLSTests`.
    @Test(arguments: ["ssl-max-ver TLSv1.2", "ssl-min-ver TLSv1.3"])
    func haproxy_requiresTheRelaysCertificate(version: String) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            _ = try scene.authority(for: "back.example", "relay.example")
            try scene.joinPEM("back")
            let answers = try await scene.answeringHAProxy(
                bind: "ssl crt \(scene.path("back.pem")) ca-file \(scene.path("ca.crt")) verify required \(version)",
                puppet)
            let settings = "ca: ca.crt, server_name: back.example"
            let tapline = try await scene.secure(
                upstream: "127.0.0.1:\(answers)",
                "upstream_tls: { \(settings), certificate: { chain: relay.crt, key: relay.key } }")
            for _ in 0..<2 { #expect(try await scene.ask(tapline.port).first == "127.0.0.1") }
            for record in try await tapline.records(2) {
                #expect(record.upstreamTls?.hasPrefix("TLSv\(version.suffix(3)) ") == true)
                #expect(record.upstreamTlsPeer == "back.example" && record.reason.hasSuffix("_closed"))
            }
            try await tapline.stop()
        }
    }

    /// Without a certificate HAProxy sends an alert; with TLS 1.3 it comes after the handshake.
    @Test(arguments: ["ssl-max-ver TLSv1.2", "ssl-min-ver TLSv1.3"])
    func haproxy_refusesARelayWithoutACertificate(version: String) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            _ = try scene.authority(for: "back.example")
            try scene.joinPEM("back")
            let answers = try await scene.answeringHAProxy(
                bind: "ssl crt \(scene.path("back.pem")) ca-file \(scene.path("ca.crt")) verify required \(version)",
                puppet)
            let tapline = try await scene.secure(
                upstream: "127.0.0.1:\(answers)", "upstream_tls: { ca: ca.crt, server_name: back.example }")
            try await puppet.connect("client", to: tapline.address)
            #expect(try await puppet.receiveToEnd("client").end == "reset")
            let record = try await tapline.records()[0]
            #expect(record.closedBy == "upstream")
            let alert = version.hasSuffix("1.3") ? "certificate_required" : "handshake_failure"
            #expect(record.tlsFault == "the upstream sent the alert \(alert)")
            #expect(try await scene.why().contains("The upstream sent the alert \(alert)"))
            try await tapline.stop()
        }
    }

    /// A chain of four: curl, HAProxy with TLS, Tapline with TLS on both sides, nginx with TLS.
    @Test func chain_ofFour_carriesALargeAnswer() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            _ = try scene.authority(for: "front.example", "back.example", "proxy.example")
            let port = try scene.freePort()
            try Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 11) })
                .write(to: URL(fileURLWithPath: scene.path("large")))
            try await scene.nginx(
                "files",
                """
                \(getuid() == 0 ? "user root;" : "")
                events {}
                http {
                    \(scene.nginxFolders)
                    access_log off;
                    server {
                        listen 127.0.0.1:\(port) ssl;
                        ssl_certificate \(scene.path("back.crt"));
                        ssl_certificate_key \(scene.path("back.key"));
                        location / { root \(scene.folder); }
                    }
                }
                """, port: port, puppet)
            let tapline = try await scene.secure(
                upstream: "127.0.0.1:\(port)", Scene.frontTLS, "upstream_tls: { ca: ca.crt, server_name: back.example }"
            )
            let proxy = try await scene.start(.haproxy, to: tapline.port, puppet)
            try await scene.run(
                "curl", "-sS", "--max-time", "60", "--noproxy", "*", "-o", scene.path("copy"),
                "http://127.0.0.1:\(proxy)/large")
            try await scene.run("cmp", scene.path("large"), scene.path("copy"))
            // The first connection has waited for HAProxy.
            let record = try await tapline.records(2)[1]
            #expect(record.bytesDown > 3_000_000 && record.tls != nil && record.upstreamTls != nil)
            try await tapline.stop()
        }
    }
}

extension Scene {
    /// Joins a certificate and its key, as HAProxy needs them, in `NAME.pem`.
    fileprivate func joinPEM(_ name: String) throws {
        let parts = try ["crt", "key"].map { try String(contentsOfFile: path("\(name).\($0)"), encoding: .utf8) }
        _ = try file("\(name).pem", parts.joined())
    }

    /// Starts a proxy that speaks TLS to a port, with the certificate `proxy`; its own port.
    fileprivate func start(_ proxy: TLSServerTests.Proxy, to server: Int, _ puppet: Puppet) async throws -> Int {
        switch proxy {
        case .haproxy:
            try joinPEM("proxy")
            return try await haproxy(
                to: server,
                options:
                    "ssl verify required ca-file \(path("ca.crt")) sni str(front.example) verifyhost front.example "
                    + "crt \(path("proxy.pem"))", puppet)
        case .nginx:
            let port = try freePort()
            try await nginx(
                "secure-client",
                """
                events {}
                http {
                    \(nginxFolders)
                    access_log off;
                    server {
                        listen 127.0.0.1:\(port);
                        location / {
                            proxy_pass https://127.0.0.1:\(server);
                            proxy_ssl_protocols TLSv1.2 TLSv1.3;
                            proxy_ssl_verify on;
                            proxy_ssl_trusted_certificate \(path("ca.crt"));
                            proxy_ssl_name front.example;
                            proxy_ssl_server_name on;
                            proxy_ssl_certificate \(path("proxy.crt"));
                            proxy_ssl_certificate_key \(path("proxy.key"));
                        }
                    }
                }
                """, port: port, puppet)
            return port
        }
    }
}
