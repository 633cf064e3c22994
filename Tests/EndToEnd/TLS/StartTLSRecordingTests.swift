import Foundation
import Testing

/// STARTTLS in recordings with encrypted legs: each begins with the dialogue before TLS, so that Wireshark shows the
/// protocol, TLS, and the protocol inside of it.
@Suite(.needs("openssl", "python3", "tshark"))
struct StartTLSRecordingTests {
    /// The options with which tshark knows a protocol at these ports.
    private func options(_ protocolName: String, _ ports: [String]) -> [String] {
        ports.compactMap { $0.split(separator: ":").last }.flatMap { ["-d", "tcp.port==\($0),\(protocolName)"] }
    }

    /// A command of each protocol, by its name in Wireshark, and one that a client sends after TLS has begun.
    private static let commands = [
        // Of SMTP's commands it shows four letters.
        "smtp": (field: "smtp.req.command", before: "STAR", later: "MAIL"),
        "imap": (field: "imap.request.command", before: "STARTTLS", later: "LOGIN"),
    ]

    @Test(arguments: ["smtp", "imap"], ["client", "upstream", "both"])
    func mail_isDissected_beforeAndInsideOfTLS(protocolName: String, side: String) async throws {
        try await scene { scene in
            _ = try scene.authority(for: "front.example", "back.example")
            var settings = ["record: { directory: recordings, encrypted: true }"]
            if side != "upstream" {
                settings.append(
                    "tls: { certificates: { chain: front.crt, key: front.key }, starttls: \(protocolName) }")
            }
            if side != "client" {
                settings.append("upstream_tls: { ca: ca.crt, server_name: back.example, starttls: \(protocolName) }")
            }
            let certificate = side == "client" ? [] : [scene.path("back")]
            let server = try await scene.listening(
                try scene.start(Scene.peer("mail.py") + ["serve", protocolName] + certificate))
            let tapline = try await scene.secure(upstream: server, settings.joined(separator: "\n    "))
            let authority = side == "upstream" ? [] : [scene.path("ca.crt")]
            try await scene.run(Scene.peer("mail.py") + ["client", protocolName, tapline.address] + authority)
            let record = try await tapline.records()[0]
            #expect(record.recordedBytes == record.bytesUp + record.bytesDown && record.droppedBytes == 0)
            let path = try await scene.recording(of: tapline)

            let names = ["client", "upstream"].filter { side == $0 || side == "both" }
            let legs = names.map { "secure (encrypted, \($0))" }
            let decode = options(protocolName, [server, tapline.address])
            let (field, first, later) = try #require(Self.commands[protocolName])
            let before = try await scene.interfaces(
                in: path, where: "upper(\(field)) == \"\(first)\" and not tls", decode)
            #expect(before.sorted() == legs)
            let inside = try await scene.interfaces(
                in: path, where: "tls and upper(\(field)) == \"\(later)\"", decode)
            #expect(inside.sorted() == legs)
            let plain = try await scene.interfaces(
                in: path, where: "not tls and upper(\(field)) == \"\(later)\"", decode)
            #expect(plain == ["secure"])
            // The greeting, and the answer that TLS follows.
            for leg in legs {
                let server = try await scene.run(
                    ["tshark", "-r", path] + decode + [
                        "-Y", "\(protocolName) and not tls and frame.interface_name contains \"\(leg)\"", "-T",
                        "fields", "-e", "tcp.payload",
                    ])
                let lines = server.split(separator: "\n")
                #expect(lines.count >= 3, "\(lines.count)")
            }
            let file = try await scene.facts(of: [path])
            #expect(file.troubles == [] && file.missing == 0)
            let wireshark = Dissection(scene: scene, path: path, options: decode)
            #expect(try await wireshark.faults() == [])
        }
    }

    /// The request for GSSAPI is left out: Wireshark waits for more after the answer that there is none.
    @Test func postgres_isDissected_alsoAfterARefusedRequestForGSSAPI() async throws {
        try await scene { scene in
            _ = try scene.authority(for: "front.example")
            let upstream = try await scene.listening("secure.py", "echo")
            let tapline = try await scene.secure(
                upstream: upstream, "tls: { certificates: { chain: front.crt, key: front.key }, starttls: postgres }",
                "record: { directory: recordings, encrypted: true }")
            try await scene.run(
                Scene.peer("dialogue.py") + ["postgres", tapline.address, scene.path("ca.crt")])
            let record = try await tapline.records()[0]
            let path = try await scene.recording(of: tapline)
            let decode = options("pgsql", [upstream, tapline.address])
            let queries = try await scene.interfaces(in: path, where: "pgsql.query == \"select 1\"", decode)
            // The upstream sends everything back.
            #expect(Set(queries) == ["secure", "secure (encrypted, client)"], "\(queries)")
            let facts = try await scene.facts(of: [path])
            let leg = try #require(facts.conversations.first { $0.interface.contains("encrypted") })
            #expect(leg.up.missing == 0 && leg.up.count > record.bytesUp && record.droppedBytes == 0)
            let bytes = try await scene.run(
                TaplineProcess.binary, "show", path, "1", "--leg", "client", "--format", "text")
            #expect(bytes.contains("\nSSLRequest\n") && !bytes.contains("GSSENCRequest"), "\(bytes)")
        }
    }

    /// A dialogue is kept up to a size: of a longer one the end is there, and the beginning is missing, by count.
    @Test func longDialogue_isRecordedWithoutItsBeginning() async throws {
        try await scene { scene in
            _ = try scene.authority(for: "front.example")
            let server = try await scene.listening("mail.py", "serve", "smtp")
            let tapline = try await scene.secure(
                upstream: server, "tls: { certificates: { chain: front.crt, key: front.key }, starttls: smtp }",
                "record: { directory: recordings, encrypted: true }")
            try await scene.run(Scene.peer("dialogue.py") + ["smtp", tapline.address, scene.path("ca.crt"), "12"])
            let record = try await tapline.records()[0]
            #expect(record.recordedBytes == record.bytesUp + record.bytesDown && record.droppedBytes == 0)
            let path = try await scene.recording(of: tapline)
            let facts = try await scene.facts(of: [path])
            #expect(facts.troubles == [])
            let leg = try #require(facts.conversations.first { $0.interface.contains("encrypted") })
            #expect(leg.up.missing > 30_000 && leg.up.missing < 40_000, "\(leg)")
            #expect(leg.gaps == leg.up.missing + leg.down.missing && leg.dropped == leg.gaps, "\(leg)")
            let decode = options("smtp", [tapline.address])
            let commands = try await scene.interfaces(
                in: path, where: "smtp.req.command == \"STAR\" or tls and smtp.req.command == \"QUIT\"", decode)
            #expect(commands == ["secure (encrypted, client)", "secure (encrypted, client)"], "\(commands)")
            // Each message has its own time.
            let times = try await Dissection(scene: scene, path: path, options: decode).fields(
                ["frame.time_epoch"], where: "smtp and not tls and tcp.dstport == \(tapline.port) and tcp.len == 8000")
            #expect(times.count == 8 && Set(times).count == 8, "\(times)")
        }
    }
}
