import Foundation
import TestSupport
import Testing

/// PostgreSQL and Redis: their clients and servers with TLS on one side and without it on the other.
struct TLSDatabaseTests {
    static let postgres: String? = {
        let root = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        return versions.sorted().last.map { "\(root)/\($0)/bin" }
    }()

    private static let rows = 20_000

    /// psql without TLS, and a server that accepts nothing else: also a psql that would like to have TLS, which hears
    /// that there is none here.
    @Test(
        .needs("psql", "openssl", "setpriv", "python3"), .needsRoot,
        .enabled(if: postgres != nil, "not installed (Debian package: postgresql)"),
        arguments: ["disable", "prefer", "allow"])
    func psql_reachesAServerThatRequiresTLS(mode: String) async throws {
        try await scene { scene in
            _ = try scene.authority(for: "db.example", "relay.example")
            let port = try await scene.postgres(requiresTLS: true)
            let tapline = try await scene.secure(
                upstream: "127.0.0.1:\(port)",
                "upstream_tls: { ca: ca.crt, server_name: db.example, starttls: postgres, "
                    + "certificate: { chain: relay.crt, key: relay.key } }")
            let answer = try await scene.psql(
                "port=\(tapline.port) sslmode=\(mode)",
                "select version from pg_stat_ssl where pid = pg_backend_pid()",
                "select repeat('x', 100) from generate_series(1, \(Self.rows))")
            let lines = answer.components(separatedBy: "\n")
            #expect(lines.first == "TLSv1.3" && lines.count == Self.rows + 1, "\(lines.first ?? "")")
            let record = try await tapline.records()[0]
            #expect(record.upstreamTls?.hasPrefix("TLSv1.3 ") == true && record.upstreamTlsPeer == "db.example")
            // Either side may be the first to close, and PostgreSQL may do so without close_notify.
            #expect(record.reason.hasSuffix("_closed"), "\(record)")
            try await tapline.stop()
        }
    }

    /// psql verifies Tapline's certificate, and the server has no TLS. A psql without TLS gets an error that it can
    /// show.
    @Test(
        .needs("psql", "openssl", "setpriv", "python3"), .needsRoot,
        .enabled(if: postgres != nil, "not installed (Debian package: postgresql)"))
    func psql_speaksTLSWithTheRelay() async throws {
        try await scene { scene in
            _ = try scene.authority(for: "front.example")
            let port = try await scene.postgres(requiresTLS: false)
            let tapline = try await scene.secure(
                upstream: "127.0.0.1:\(port)",
                "tls: { certificates: { chain: front.crt, key: front.key }, starttls: postgres }")
            let secure = "hostaddr=127.0.0.1 port=\(tapline.port) sslrootcert=\(scene.path("ca.crt"))"
            let answer = try await scene.psql(
                "host=front.example sslmode=verify-full \(secure)",
                "select count(*) from pg_stat_ssl where pid = pg_backend_pid() and not ssl",
                "select repeat('x', 100) from generate_series(1, \(Self.rows))")
            let lines = answer.components(separatedBy: "\n")
            #expect(lines.first == "1" && lines.count == Self.rows + 1)
            let records = try await tapline.records()
            #expect(records[0].tls?.hasPrefix("TLSv1.3 ") == true, "\(records[0])")
            #expect(records[0].serverName == "front.example")

            await #expect(throws: Failure.self) {
                try await scene.psql("host=127.0.0.1 port=\(tapline.port) sslmode=disable", "select 1")
            }
            let refused = try await tapline.records(2)[1]
            #expect(refused.tlsFault == "the client did not request TLS, which this relay requires")
            #expect(refused.reason == "tls_handshake_failed" && refused.closedBy == "client")
            // openssl asks as psql does; with ALPN, TLS may begin at once.
            for options in [["-starttls", "postgres"], ["-alpn", "postgresql"]] {
                let client = try scene.openSSLClient(tapline, options)
                try await client.output.line(containing: "Verification: OK")
                client.finishInput()
                try await client.exit()
            }
            try await tapline.stop()
        }
    }

    @Test(
        .needs("psql", "setpriv", "python3"), .needsRoot,
        .enabled(if: postgres != nil, "not installed (Debian package: postgresql)"))
    func server_withoutTLS_isNamed() async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            _ = try scene.authority()
            let port = try await scene.postgres(requiresTLS: false)
            let tapline = try await scene.secure(
                upstream: "127.0.0.1:\(port)",
                "upstream_tls: { ca: ca.crt, server_name: a.example, starttls: postgres }")
            try await puppet.connect("client", to: tapline.address)
            try await puppet.send("client", hex: "00000008" + "00030000")
            // An error, and the end of the stream.
            #expect(try await puppet.receiveToEnd("client").end == "fin")
            try await puppet.finish("client")
            #expect(try await tapline.records()[0].tlsFault == "the upstream does not offer TLS")
            #expect(try await scene.why().contains("The upstream does not offer TLS; the TLS handshake failed"))
            try await tapline.stop()
        }
    }

    /// The benchmark pipelines, from many connections.
    @Test(.needs("redis-server", "redis-cli", "redis-benchmark", "python3"), arguments: ["client", "upstream", "both"])
    func redis_withTLS(on side: String) async throws {
        try await scene(.heavy) { scene in
            let authority = try scene.authority(for: "front.example", "relay.example")
            try scene.store(authority.issue(.init(commonName: "db", names: ["IP:127.0.0.1"])), as: "db")
            let port = try scene.freePort()
            let isSecure = side != "client"
            let files = ["cert", "key", "ca-cert"].flatMap { kind in
                ["--tls-\(kind)-file", scene.path(kind == "ca-cert" ? "ca.crt" : kind == "key" ? "db.key" : "db.crt")]
            }
            let server = try scene.start(
                [
                    "redis-server", "--bind", "127.0.0.1", "--save", "", "--dir", scene.folder, "--port",
                    isSecure ? "0" : "\(port)", "--tls-port", isSecure ? "\(port)" : "0",
                ] + files)
            try await server.output.line(containing: "eady to accept connections")
            var settings: [String] = []
            if side != "upstream" { settings.append(Scene.frontTLS) }
            if isSecure {
                // By its address, and with a certificate, which it requires by default.
                settings.append("upstream_tls: { ca: ca.crt, certificate: { chain: relay.crt, key: relay.key } }")
            }
            let tapline = try await scene.secure(
                upstream: "127.0.0.1:\(port)", settings.joined(separator: "\n    "))
            var client = ["-h", "127.0.0.1", "-p", "\(tapline.port)"]
            if side != "upstream" { client += ["--tls", "--cacert", scene.path("ca.crt"), "--sni", "front.example"] }
            #expect(try await scene.run(["redis-cli"] + client + ["set", "greeting", "Hello"]) == "OK")
            #expect(try await scene.run(["redis-cli"] + client + ["get", "greeting"]) == "Hello")
            for pipeline in ["1", "16"] {
                let load = ["-n", "4000", "-c", "20", "-P", pipeline, "-d", "5000", "-t", "set,get", "-q"]
                try await scene.run(["redis-benchmark"] + client + load)
            }
            let records = try await tapline.stop()
            #expect(records.count > 20)
            for record in records {
                #expect((record.tls != nil) == (side != "upstream") && (record.upstreamTls != nil) == isSecure)
                #expect(!record.reason.contains("tls"), "\(record)")
            }
        }
    }
}

extension Scene {
    /// Starts a PostgreSQL on a loopback port; its port. With TLS it has the certificate `db`, requires TLS and a
    /// certificate of `ca` for the user `tester`.
    fileprivate func postgres(requiresTLS: Bool) async throws -> Int {
        let programs = try #require(TLSDatabaseTests.postgres)
        let data = path("postgres/data")
        try FileManager.default.createDirectory(atPath: path("postgres"), withIntermediateDirectories: false)
        try FileManager.default.setAttributes([.ownerAccountID: 65534], ofItemAtPath: path("postgres"))
        // It refuses to run as root.
        let user = Self.ordinaryUser
        try await run(user + ["\(programs)/initdb", "-D", data, "-U", "tester", "-A", "trust", "--no-sync"])
        var options = ["-c", "ssl=off"]
        if requiresTLS {
            for name in ["db.crt", "db.key", "ca.crt"] {
                let copy = "\(data)/\(name)"
                try FileManager.default.copyItem(atPath: path(name), toPath: copy)
                try FileManager.default.setAttributes(
                    [.ownerAccountID: 65534, .posixPermissions: 0o600], ofItemAtPath: copy)
            }
            try "hostssl all all 127.0.0.1/32 trust clientcert=verify-ca\n".write(
                toFile: "\(data)/pg_hba.conf", atomically: false, encoding: .utf8)
            options = [
                "-c", "ssl=on", "-c", "ssl_cert_file=db.crt", "-c", "ssl_key_file=db.key", "-c", "ssl_ca_file=ca.crt",
            ]
        }
        let port = try freePort()
        let words = [
            "\(programs)/postgres", "-D", data, "-h", "127.0.0.1", "-p", "\(port)", "-k", path("postgres"), "-F",
        ]
        try await start(user + words + options).errors.line(containing: "ready to accept connections")
        return port
    }

    /// Runs psql with these commands.
    @discardableResult
    fileprivate func psql(_ connection: String, _ commands: String...) async throws -> String {
        let isNamed = connection.contains("host=")
        let host = isNamed ? "" : "host=127.0.0.1 "
        let facts = "\(host)user=tester dbname=postgres connect_timeout=60 gssencmode=disable \(connection)"
        return try await run(["psql", "-XAtq", facts] + commands.flatMap { ["-c", $0] })
    }
}
