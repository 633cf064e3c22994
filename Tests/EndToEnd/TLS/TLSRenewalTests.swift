import Foundation
import TestSupport
import Testing

/// Certificates that are renewed while clients connect.
@Suite(.needs("python3"))
struct TLSRenewalTests {
    private static let renewals = 200

    /// Both files are replaced 200 times while clients connect without a pause and one stays: no handshake fails, no
    /// connection is cut, and every renewal takes effect. Between the two files the old pair stays in force.
    @Test func renewals_underLoad_failNoHandshakeAndCutNoConnection() async throws {
        try await scene(.heavy) { scene in
            let authority = try scene.authority(for: "front.example")
            let upstream = try await scene.listening("secure.py", "echo")
            let tapline = try await scene.secure(upstream: upstream, Scene.frontTLS)
            let load = try scene.start(
                Scene.peer("secure.py") + ["load", scene.path("ca.crt"), "front.example", "4"])
            load.write(tapline.address + "\n")
            _ = try await tapline.records(20)
            for number in 1...Self.renewals {
                try scene.certify("front.example", by: authority)
                try await tapline.program.send(SIGHUP)
                try await tapline.awaitGeneration(number + 1)
            }
            load.write("end\n")
            let line = try await load.output.line(containing: "\"done\"")
            let facts = try JSONDecoder().decode(Load.self, from: Data(line.utf8))
            #expect(facts.troubles == [])
            #expect(facts.short > 100 && facts.messages > 20 && facts.certificates > 20, "\(facts)")
            let records = try await tapline.stop()
            #expect(records.count == facts.short + 1)
            #expect(records.allSatisfy { $0.reason == "client_closed" && $0.tlsFault == nil })
            #expect(records.contains { $0.generation > Self.renewals / 2 })
        }
    }

    /// What `load` says at its end.
    private struct Load: Decodable {
        var troubles: [String]
        var short: Int
        var messages: Int
        var certificates: Int
    }

    /// Each broken pair is refused with its reason, and clients get the certificate that was in force.
    @Test func brokenPair_leavesTheOldOneInForce() async throws {
        try await scene { scene in
            let authority = try scene.authority(for: "front.example", "other.example")
            let upstream = try await scene.listening("secure.py", "echo")
            let tapline = try await scene.secure(upstream: upstream, Scene.frontTLS)
            let good = try ["crt", "key"].map { try Data(contentsOf: scene.fileURL("front.\($0)")) }
            let client = try scene.start(
                Scene.peer("secure.py") + ["talk", scene.path("ca.crt"), "front.example", "1"])
            client.write("\(tapline.address)\n")
            try await client.output.line(containing: "\"connected\": 1")
            var expired = TestAuthority.Request(names: ["DNS:front.example"])
            (expired.firstDay, expired.lastDay) = (-30, -1)
            var weak = TestAuthority.Request(names: ["DNS:front.example"])
            weak.key = .rsa(1024)
            let (late, small) = (try authority.issue(expired), try authority.issue(weak))
            let pairs: [(certificate: Data, key: Data, words: String)] = [
                (good[0], try Data(contentsOf: scene.fileURL("other.key")), "does not match the certificate"),
                (Data(good[0].dropLast(100)), good[1], "has a malformed certificate"),
                (Data(), good[1], "has no certificate in PEM form"),
                (good[0], Data(), "has no private key in PEM form"),
                (Data(late.certificate), Data(late.key), "has a certificate that expired at"),
                (Data(small.certificate), Data(small.key), "has an RSA key of 1024 bits; at least 2048 is needed"),
            ]
            for (number, pair) in pairs.enumerated() {
                try pair.key.write(to: scene.fileURL("front.key"), options: .atomic)
                try pair.certificate.write(to: scene.fileURL("front.crt"), options: .atomic)
                try await tapline.program.send(SIGHUP)
                try await tapline.program.errors.line(containing: pair.words)
                let again = try scene.start(
                    Scene.peer("secure.py") + ["talk", scene.path("ca.crt"), "front.example", "1"])
                again.write("\(tapline.address)\n")
                try await again.output.line(containing: "\"connected\": 1")
                // The connection from the beginning lives through all of them.
                client.write("0.01\n")
                try await client.output.line(containing: "\"measured\": \(number + 1),")
                await again.kill()
            }
            try scene.certify("front.example", by: authority)
            try await tapline.program.send(SIGHUP)
            try await tapline.awaitGeneration(2)
            #expect(try await scene.openSSLClient(tapline, ["-brief"]).endsWell())
            try await tapline.stop()
        }
    }
}

extension Program {
    /// Ends its input; whether it then exits with 0.
    fileprivate func endsWell() async throws -> Bool {
        finishInput()
        return try await exit() == .exited(0)
    }
}

extension Scene {
    fileprivate func fileURL(_ name: String) -> URL { URL(fileURLWithPath: path(name)) }
}

extension TaplineProcess {
    /// Waits until a generation of the configuration is in force.
    fileprivate func awaitGeneration(_ number: Int) async throws {
        _ = try await program.errors.first {
            $0.contains("\"generation\":\(number),") || $0.contains("\"generation\":\(number)}")
                || $0.contains("\"generation\":\"\(number)\"")
        }
    }
}
