import Foundation
import Testing

/// `forward --tls-cert auto`: certificates by a local authority, with the programs that people use.
@Suite(.needs("curl", "nginx", "openssl", "python3"))
struct LocalAuthorityTests {
    /// A state folder whose name needs quotes, and the options of Tapline's commands in it.
    private struct Bench {
        let scene: Scene
        var state: String { scene.path("a state") }
        var folder: String { state + "/tapline/ca" }
        var certificate: String { folder + "/ca.pem" }
        var key: String { folder + "/ca.key" }
        var variables: [String] { ["env", "XDG_STATE_HOME=\(state)"] }

        /// A relay whose clients and upstream speak TLS; the upstream answers with its name and the requested one.
        func start(_ upstream: Int, options: [String] = [], listen: String = "tls:127.0.0.1:0") async throws
            -> TaplineProcess
        {
            try await scene.forward(
                "\(listen)=tls:localhost:\(upstream)",
                options: ["--tls-cert", "auto", "--tls-ca", scene.path("first.crt")] + options, before: variables)
        }

        func run(_ words: [String]) async throws -> (status: Program.Ending, output: [String], errors: [String]) {
            let program = try scene.start(words)
            program.finishInput()
            let status = try await program.exit()
            return (status, program.output.all, program.errors.all)
        }

        func curl(_ url: String, at port: Int, _ options: String...) async throws -> [String] {
            let words = [
                "curl", "-sS", "--max-time", "60", "--noproxy", "*", "--cacert", certificate, "--connect-to",
                "::127.0.0.1:\(port)",
            ]
            let answer = try await scene.run(words + options + [url], within: .seconds(90))
            return answer.split(whereSeparator: \.isWhitespace).map(String.init)
        }

        /// The certificate that a client gets; `-x509_strict` refuses one that lacks what RFC 5280 requires.
        func client(_ address: String, _ options: String...) async throws -> (status: Program.Ending, text: String) {
            let result = try await run(
                [
                    "openssl", "s_client", "-connect", address, "-CAfile", certificate, "-verify_return_error",
                    "-x509_strict",
                ] + options)
            return (result.status, (result.output + result.errors).joined(separator: "\n"))
        }
    }

    private func play(_ body: (Bench, _ upstream: Int) async throws -> Void) async throws {
        try await scene { scene in
            let puppet = try scene.puppet()
            let port = try await scene.secureNginx([(name: "first", names: ["localhost"])], puppet)[0]
            try await body(Bench(scene: scene), port)
        }
    }

    @Test func everyName_hasACertificate() async throws {
        try await play { bench, upstream in
            let tapline = try await bench.start(upstream)
            let announcement = try await tapline.program.errors.first(1) { $0.contains("local CA") }
            #expect(
                announcement[0].contains("certificates are issued by the local CA \(bench.certificate); to trust it"))
            #expect(announcement[0].contains("\"new\":true"))
            for name in ["localhost", "front.example", "Deep.Sub.Front.Example", "db"] {
                #expect(try await bench.curl("https://\(name)/", at: tapline.port).first == "first", "\(name)")
            }
            #expect(
                try await bench.curl("https://front.example/", at: tapline.port, "--tls-max", "1.2").first == "first")
            // Without a server name.
            #expect(try await bench.curl("https://127.0.0.1:\(tapline.port)/", at: tapline.port).first == "first")
            let nameless = try await bench.client(tapline.address, "-noservername", "-verify_ip", "127.0.0.1")
            #expect(nameless.status == .exited(0) && nameless.text.contains("Verify return code: 0 (ok)"))
            let named = try await bench.client(
                tapline.address, "-servername", "a.example", "-verify_hostname", "a.example")
            #expect(named.status == .exited(0) && named.text.contains("Verification: OK"), "\(named.text)")
            #expect(named.text.contains("subject=O = Tapline, CN = a.example"), "\(named.text)")
            let other = try await bench.client(
                tapline.address, "-servername", "a.example", "-verify_hostname", "b.example")
            #expect(other.status == .exited(1))
            try await tapline.stop()
        }
    }

    /// A name that no certificate can have ends the handshake, and nothing else.
    @Test func invalidName_isRefusedWithAnAlert() async throws {
        try await play { bench, upstream in
            let tapline = try await bench.start(upstream)
            let refused = try await bench.client(tapline.address, "-servername", "*.example")
            #expect(refused.status == .exited(1))
            #expect(refused.text.contains("unrecognized name"), "\(refused.text)")
            #expect(try await bench.curl("https://front.example/", at: tapline.port).first == "first")
            let records = try await tapline.stop()
            #expect(records[0].reason == "tls_handshake_failed")
            #expect(records[0].closedBy == "client")
            #expect(
                records[0].tlsFault
                    == "the client sent the server name `*.example`, which no certificate can have "
                    + "(alert sent: unrecognized_name)")
        }
    }

    @Test func twoAtOnce_haveOneAuthority_andLaterOnesFindIt() async throws {
        try await play { bench, upstream in
            async let first = bench.start(upstream)
            async let second = bench.start(upstream)
            let both = [try await first, try await second]
            var new = 0
            for tapline in both {
                let announcement = try await tapline.program.errors.first(1) { $0.contains("local CA") }
                if announcement[0].contains("\"new\":true") { new += 1 }
                #expect(try await bench.curl("https://front.example/", at: tapline.port).first == "first")
            }
            #expect(new == 1)
            for tapline in both { try await tapline.stop() }
            let before = try Data(contentsOf: URL(fileURLWithPath: bench.certificate))
            let third = try await bench.start(upstream)
            #expect(try await bench.curl("https://front.example/", at: third.port).first == "first")
            #expect(try Data(contentsOf: URL(fileURLWithPath: bench.certificate)) == before)
            #expect(try FileManager.default.contentsOfDirectory(atPath: bench.folder).sorted() == ["ca.key", "ca.pem"])
            let key = try FileManager.default.attributesOfItem(atPath: bench.key)
            #expect(key[.posixPermissions] as? Int == 0o600)
            try await third.stop()
        }
    }

    @Test func listenerOfOtherMachines_isRefused_unlessItIsAllowed() async throws {
        try await play { bench, upstream in
            let words =
                bench.variables + [TaplineProcess.binary, "forward", "tls:*:0=localhost:1", "--tls-cert", "auto"]
            let result = try await bench.run(words)
            #expect(result.status == .exited(64))
            #expect(result.errors.joined(separator: " ").contains("--tls-cert auto: other machines can reach tls:*:0"))
            #expect(!FileManager.default.fileExists(atPath: bench.state))
            let tapline = try await bench.start(upstream, options: ["--tls-auto-remote"], listen: "tls:0.0.0.0:0")
            #expect(try await bench.curl("https://front.example/", at: tapline.port).first == "first")
            try await tapline.stop()
        }
    }

    @Test func badFolder_isRefusedWithTheRemedy() async throws {
        try await play { bench, _ in
            let command = [TaplineProcess.binary, "forward", "tls:0=localhost:1", "--tls-cert", "auto"]
            let homeless = try await bench.run(["env", "-u", "HOME", "-u", "XDG_STATE_HOME"] + command)
            #expect(homeless.status == .exited(78))
            #expect(homeless.errors[0].contains("neither XDG_STATE_HOME nor HOME is an absolute path"))
            let started = try bench.scene.start(bench.variables + command)
            _ = try await started.errors.first(1) { $0.contains(" listens on ") }
            try await started.send(SIGTERM)
            _ = try await started.exit()
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: bench.key)
            for words in [command, [TaplineProcess.binary, "ca"]] {
                let exposed = try await bench.run(bench.variables + words)
                #expect(exposed.status == .exited(78))
                #expect(exposed.errors[0].contains("can be read by other users (mode 0644)"), "\(exposed.errors)")
                #expect(exposed.errors[0].contains("run: chmod 600 '\(bench.key)'"))
            }
        }
    }

    // MARK: tapline ca

    /// Before there is an authority, the command says so and creates nothing; then its commands work.
    @Test func commandsOfCa_makeProgramsTrustTheAuthority() async throws {
        try await play { bench, upstream in
            let command = bench.variables + [TaplineProcess.binary, "ca"]
            let before = try await bench.run(command)
            #expect(before.status == .exited(0))
            #expect(before.output[0].hasPrefix("There is no local CA yet."))
            #expect(!FileManager.default.fileExists(atPath: bench.state))
            #expect(try await bench.run(command + ["--path"]).output == [bench.certificate])
            let tapline = try await bench.start(upstream)
            let text = try await bench.run(command).output
            let fingerprint = try await bench.scene.run(
                "openssl", "x509", "-in", bench.certificate, "-noout", "-fingerprint", "-sha256")
            let digest = try #require(fingerprint.split(separator: "=").last)
            #expect(text.contains("  SHA-256      \(digest)"))

            /// The line with a command that contains a word.
            func line(_ word: String) throws -> String {
                try #require(text.first { $0.hasPrefix("  ") && $0.contains(word) }).trimmingCharacters(
                    in: .whitespaces)
            }
            let url = "https://localhost:\(tapline.port)/"
            let curl = try line("curl ").replacing("https://localhost:8443/", with: url)
            #expect(try await bench.scene.run("sh", "-c", "\(curl) -sS --noproxy '*'").hasPrefix("first"))
            let python = try line("SSL_CERT_FILE")
            let request = "import urllib.request; print(urllib.request.urlopen('\(url)').read().decode())"
            #expect(try await bench.scene.run("sh", "-c", "\(python); python3 -c \"\(request)\"").contains("first"))
            try await node(bench, line("NODE_EXTRA_CA_CERTS"), url)
            try await java(bench, line("keytool "))
            try await tapline.stop()
        }
    }

    /// Browsers of one user: with a database of their own from an earlier start, or without any.
    @Test(.needs("certutil", "chromium-headless-shell"), arguments: ["", ".pki/nssdb", ".local/share/pki/nssdb"])
    func commandOfCa_makesChromiumTrustTheAuthority(_ database: String) async throws {
        try await play { bench, upstream in
            let tapline = try await bench.start(upstream)
            let home = bench.scene.path("a home")
            let folder = database.isEmpty ? home : home + "/" + database
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let user = ["env", "-u", "XDG_DATA_HOME", "HOME=\(home)"]
            let load =
                user + [
                    "chromium-headless-shell", "--no-sandbox", "--no-proxy-server", "--dump-dom",
                    "https://localhost:\(tapline.port)/",
                ]
            let text = try await bench.run(bench.variables + [TaplineProcess.binary, "ca"]).output
            let title = try #require(text.firstIndex { $0.hasPrefix("Chromium and Chrome on Linux") })
            let commands = text[(title + 1)...].prefix { !$0.isEmpty }.joined(separator: "\n")
            // Chromium itself makes a database, and so chooses the folder; these tests choose it.
            if !database.isEmpty {
                let before = try await bench.run(load)
                #expect(before.errors.contains { $0.contains("ERR_CERT_AUTHORITY_INVALID") }, "\(before.errors)")
            }
            // Twice: the authority may be trusted already.
            for _ in 0..<2 {
                let trusted = try await bench.run(user + ["sh", "-c", commands])
                #expect(trusted.status == .exited(0), "\(trusted.errors)")
            }
            let after = try await bench.run(load)
            #expect(after.output.joined().contains("first localhost"), "\(after.output) \(after.errors)")
            #expect(!after.errors.contains { $0.contains("ERR_CERT") }, "\(after.errors)")
            try await tapline.stop()
        }
    }

    private func node(_ bench: Bench, _ setting: String, _ url: String) async throws {
        guard Programs.path("node") != nil else { return }
        let request = "require('https').get('\(url)', r => r.on('data', d => console.log(String(d))))"
        #expect(try await bench.scene.run("sh", "-c", "\(setting); node -e \"\(request)\"").contains("first"))
    }

    /// Into a store of the test, in place of the JDK's.
    private func java(_ bench: Bench, _ command: String) async throws {
        guard Programs.path("keytool") != nil else { return }
        let own = command.replacing("-cacerts", with: "-keystore \(bench.scene.path("store"))")
        _ = try await bench.scene.run("sh", "-c", own)
        let list = try await bench.scene.run(
            "keytool", "-list", "-keystore", bench.scene.path("store"), "-storepass", "changeit")
        #expect(list.contains("tapline") && list.contains("trustedCertEntry"), "\(list)")
    }
}
