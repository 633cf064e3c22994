import Foundation
import TestSupport
import Testing

/// The encrypted legs of connections of every family, with other servers, to an upstream that comes up late, and with a
/// full buffer.
@Suite(.needs("curl", "nginx", "openssl", "python3", "tshark"))
struct EncryptedLegTests {
    /// Where both ends listen.
    enum Family: String, CaseIterable, Sendable {
        case ipv4 = "127.0.0.1", ipv6 = "[::1]", unix
    }

    /// The end of a body without a length is that of the stream, which Wireshark does not report inside of TLS.
    private static let options = ["-o", "http.desegment_body:FALSE"]

    /// The upstream.
    enum Server: Sendable {
        case nginx, openssl
    }

    /// s_server removes its Unix socket at once.
    private static let servers: [(Server, Family)] = [
        (.nginx, .ipv4), (.nginx, .ipv6), (.nginx, .unix), (.openssl, .ipv4), (.openssl, .ipv6),
    ]

    private func start(_ server: Server, _ family: Family, _ scene: Scene, _ puppet: Puppet) async throws -> String {
        let port = try scene.freePort()
        let address = family == .unix ? "unix:\(scene.path("upstream.sock"))" : "\(family.rawValue):\(port)"
        switch server {
        case .nginx:
            // A port tells when it is ready.
            let more = family == .ipv4 ? "" : "listen \(address) ssl;"
            try await scene.nginx(
                "secure",
                """
                events {}
                http {
                    \(scene.nginxFolders)
                    access_log off;
                    server {
                        listen 127.0.0.1:\(port) ssl;
                        \(more)
                        ssl_certificate back.crt;
                        ssl_certificate_key back.key;
                        location / { return 200 "nginx\\n"; }
                    }
                }
                """, port: port, puppet)
        case .openssl:
            let program = try scene.start([
                "openssl", "s_server", "-accept", address, "-cert", scene.path("back.crt"), "-key",
                scene.path("back.key"), "-www",
            ])
            _ = try await program.output.line(containing: "ACCEPT")
        }
        return address
    }

    @Test(arguments: servers) func legs_ofEveryFamily_areDecrypted(server: Server, family: Family) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            _ = try scene.authority(for: "front.example", "back.example")
            let upstream = try await start(server, family, scene, puppet)
            let socket = scene.path("front.sock")
            let tapline = try await scene.run(
                relays: """
                      - name: web
                        listen: "\(family == .unix ? "unix:\(socket)" : "\(family.rawValue):0")"
                        upstream: "\(upstream)"
                        tls: { certificates: { chain: front.crt, key: front.key } }
                        upstream_tls: { ca: ca.crt, server_name: back.example }
                        record: { directory: recordings, encrypted: true }
                    """)
            let way = family == .unix ? ["--unix-socket", socket] : ["--connect-to", "::\(tapline.address)"]
            let curl = try scene.start(
                ["curl", "-sS", "--noproxy", "*", "--cacert", scene.path("ca.crt"), "--http1.1"] + way
                    + ["https://front.example/"])
            let (status, record) = (try await curl.exit(), try await tapline.records()[0])
            let answer = curl.output.all.joined(separator: "\n")
            #expect(status == .exited(0), "\(record)")
            #expect(answer.contains(server == .nginx ? "nginx" : "s_server"), "\(answer)")
            #expect(record.recordedBytes == record.bytesUp + record.bytesDown && record.droppedBytes == 0)
            let path = try await scene.recording(of: tapline)
            for filter in ["http.request.method == GET", "http.response.code == 200"] {
                #expect(try await scene.interfaces(in: path, where: filter, Self.options).sorted() == EncryptedLegs.all)
            }
            let file = try await scene.facts(of: [path])
            #expect(file.troubles == [] && file.missing == 0 && file.conversations.count == 3)
            // Wireshark keeps the three apart by their addresses.
            let pairs = Set(file.conversations.map { "\($0.client) \($0.server)" })
            #expect(pairs.count == 3, "\(pairs)")
            let leg = try #require(file.conversations.first { $0.interface.hasPrefix(EncryptedLegs.upstream) })
            switch family {
            case .unix: #expect(leg.client.hasPrefix("127.86.") && leg.server.hasPrefix("127.0.0.1:"), "\(leg)")
            case .ipv4, .ipv6: #expect(leg.client.hasPrefix(family.rawValue + ":") && leg.server == upstream, "\(leg)")
            }
            try await Dissection(scene: scene, path: path).expectWhole([0: .whole, 1: .whole, 2: .whole])
        }
    }

    /// A client that is held until its upstream is up: its leg begins when the upstream is connected.
    @Test func legOfAHeldClient_beginsWithTheAttemptThatSucceeds() async throws {
        try await scene { scene in
            _ = try scene.authority(for: "front.example", "back.example")
            let upstream = "127.0.0.1:\(try scene.freePort())"
            let tapline = try await scene.run(
                relays: """
                      - name: web
                        listen: 127.0.0.1:0
                        upstream: \(upstream)
                        timeouts: { wait: 10m }
                        tls: { certificates: { chain: front.crt, key: front.key } }
                        upstream_tls: { ca: ca.crt, server_name: back.example }
                        record: { directory: recordings, encrypted: true }
                    """)
            let curl = try scene.start([
                "curl", "-sS", "--noproxy", "*", "--cacert", scene.path("ca.crt"), "--connect-to",
                "::\(tapline.address)", "https://front.example/",
            ])
            try await tapline.program.errors.line(containing: "is not up")
            let server = try scene.start([
                "openssl", "s_server", "-accept", upstream, "-cert", scene.path("back.crt"), "-key",
                scene.path("back.key"), "-www",
            ])
            _ = try await server.output.line(containing: "ACCEPT")
            #expect(try await curl.exit() == .exited(0))
            let record = try #require(try await tapline.records().first)
            let held = try #require(record.heldMs)
            #expect(record.attempts > 1 && record.droppedBytes == 0)
            let path = try await scene.recording(of: tapline)
            #expect(
                try await scene.interfaces(in: path, where: "http.request.method == GET").sorted()
                    == EncryptedLegs.all)
            let wireshark = Dissection(scene: scene, path: path)
            try await wireshark.expectWhole([0: .whole, 1: .whole, 2: .whole])
            let times = try await wireshark.fields(
                ["frame.interface_name", "frame.time_epoch"], where: "tcp.flags == 2")
            func time(_ name: String) throws -> Double {
                try #require(times.first { $0[0].hasPrefix(name) }.flatMap { Double($0[1]) })
            }
            let later = try time(EncryptedLegs.upstream) - time(EncryptedLegs.client)
            // The loop's time has whole milliseconds.
            #expect(later * 1000 > Double(held) - 2, "\(later) s, held for \(held) ms")
        }
    }

    /// Under `block` the plaintext is complete. The legs do not wait: what there is no room for is missing, by count.
    @Test(.needs("unshare", "nsenter", "mount"), .mayMount)
    func block_withAFullBuffer_hasAllPlaintext_andCountsWhatTheLegsLack() async throws {
        try await scene(.heavy) { scene in
            _ = try scene.authority(for: "front.example", "back.example")
            let disk = try await scene.memoryDisk("size=1m")
            let upstream = try await scene.listening("secure.py", "serve", scene.path("back"))
            let count = 10_000_000
            let tapline = try await scene.run(
                relays: """
                      - name: web
                        listen: 127.0.0.1:0
                        upstream: \(upstream)
                        tls: { certificates: { chain: front.crt, key: front.key } }
                        upstream_tls: { ca: ca.crt, server_name: back.example }
                        record: { directory: \(disk.folder), encrypted: true, when_full: block, buffer: 1MiB }
                    """, more: "admin: { listen: '127.0.0.1:0' }", before: disk.before)
            let admin = try await scene.admin(of: tapline)
            let words = Scene.peer("secure.py") + ["transfer", scene.path("ca.crt"), "front.example"]
            let clients = [try scene.start(words), try scene.start(words)]
            clients[0].write("\(tapline.address) 1.3 \(count)\n")
            try await tapline.program.errors.line(containing: "the recording cannot be written")
            try await scene.eventually("the connection waits for its recording") {
                try await scene.run(TaplineProcess.binary, "why", "1", "--admin", admin.address)
                    .contains("It is waiting for its recording")
            }
            // One that begins while there is no room.
            clients[1].write("\(tapline.address) 1.3 \(count)\n")
            try await scene.eventually("its handshakes are complete, and it waits, too") {
                let story = try await scene.run(TaplineProcess.binary, "why", "2", "--admin", admin.address)
                return story.contains("It is waiting for its recording")
            }
            try await disk.remount("size=400m")
            for client in clients {
                #expect(try await client.output.line(containing: "whole").contains("\"whole\": true"))
            }
            let records = try await tapline.records(2)
            for record in records {
                #expect(record.bytesUp == UInt64(count) && record.bytesDown > UInt64(count))
                // The end record is about relayed bytes.
                #expect(record.recordedBytes == record.bytesUp + record.bytesDown && record.droppedBytes == 0)
            }
            let metrics = try await scene.run("curl", "-sS", "http://\(admin.address)/metrics")
            try await tapline.stop()

            let paths = try scene.recordings(in: disk.outside)
            let facts = try await scene.facts(of: paths)
            #expect(facts.troubles == [])
            var missing: UInt64 = 0
            for record in records {
                let own = facts.conversations.filter { $0.id == record.id }
                let plain = try #require(own.first { !$0.interface.contains("encrypted") })
                #expect(plain.up.isWhole(record.bytesUp) && plain.down.isWhole(record.bytesDown) && plain.dropped == 0)
                for name in [EncryptedLegs.client, EncryptedLegs.upstream] {
                    let leg = try #require(own.first { $0.interface.hasPrefix(name) })
                    #expect(leg.up.count + leg.down.count == leg.recorded && leg.reason == record.reason, "\(leg)")
                    #expect(leg.recorded + leg.dropped > record.bytesUp + record.bytesDown, "\(leg)")
                    // A leg without room for its beginning begins later, in the middle.
                    #expect(leg.gaps <= leg.dropped, "\(leg)")
                    if record.id == 1 { #expect(leg.up.missing + leg.down.missing == leg.dropped, "\(leg)") }
                    missing += leg.dropped
                }
            }
            #expect(missing > 0)
            #expect(
                metrics.contains("tapline_recording_dropped_bytes_total{relay=\"web\"} \(missing)\n"),
                "\(missing); \(metrics.split(separator: "\n").filter { $0.contains("dropped") })")
            let wireshark = Dissection(scene: scene, path: paths[0])
            let wrong = try await wireshark.fields(
                ["frame.interface_name"], where: "tcp.analysis.flags or tcp.checksum.status == 0")
            // The gaps of the legs, and nothing else.
            #expect(wrong.allSatisfy { $0[0].contains("encrypted") }, "\(wrong.count)")
            for interface in [EncryptedLegs.client, EncryptedLegs.upstream] {
                let begins = try await scene.interfaces(in: paths[0], where: "tls.handshake.type == 1")
                #expect(begins.contains(interface), "\(begins)")
            }
            let summary = try await scene.run([TaplineProcess.binary, "show"] + paths)
            for name in EncryptedLegs.all { #expect(summary.contains(name), "\(summary)") }
        }
    }
}
