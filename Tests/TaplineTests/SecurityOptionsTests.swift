import Configuration
import Glibc
import TLS
import Terminal
import TestSupport
import Testing

@testable import tapline

/// `forward --tls-cert auto` and `tapline ca`.
struct SecurityOptionsTests {
    private func forward(_ arguments: [String]) throws -> Forward {
        try #require(Tapline.parsed(["forward"] + arguments) as? Forward)
    }

    @Test(
        arguments: [
            (
                ["tls:*:8443=localhost:1", "--tls-cert", "auto"],
                [
                    "--tls-cert auto: other machines can reach tls:*:8443", "listen on loopback (tls:8443)",
                    "--tls-auto-remote",
                ]
            ),
            (["tls:192.0.2.1:8443=a:1", "--tls-cert", "auto"], ["can reach tls:192.0.2.1:8443"]),
            (["tls:8443=a:1", "--tls-cert", "auto", "--tls-key", "k"], ["--tls-cert auto makes its own keys"]),
            (["tls:8443=a:1", "--tls-cert", "c", "--tls-key", "k", "--tls-auto-remote"], ["is for --tls-cert auto"]),
            (["8443:a:1", "--tls-cert", "auto"], ["are for listeners of the form tls:PORT"]),
            (["8443:a:1", "--tls-server-name", "b"], ["--tls-server-name is for upstreams of the form tls:HOST:PORT"]),
            (
                ["1=tls:a:1", "--tls-insecure", "--tls-server-name", "*.a"],
                ["--tls-server-name: `*.a` is no name of one"]
            ),
            (["1=tls:a:1", "--tls-insecure", "--tls-server-name", "a b"], ["--tls-server-name: `a b`"]),
            (["tls:8443=a:1"], ["--tls-cert and --tls-key are needed", "or --tls-cert auto"]),
        ] as [([String], [String])])
    func wrongOptions_areReported(_ arguments: [String], _ holds: [String]) throws {
        let words = ["forward"] + arguments
        let error = try #require(throws: (any Error).self) { try (Tapline.parsed(words) as? Forward)?.check() }
        let failure = try #require(Tapline.failure(error, words, columns: nil))
        #expect(failure.status == .usage)
        for part in holds { #expect(failure.message.contains(part), "\(failure.message)") }
    }

    @Test(
        arguments: [
            ["tls:8443=a:1"], ["tls:127.0.0.2:8443=a:1"], ["tls:[::1]:8443=a:1"], ["tls:unix:/run/a.sock=a:1"],
            ["tls:*:8443=a:1", "--tls-auto-remote"],
        ])
    func listenersOfThisMachine_areAccepted(_ arguments: [String]) async throws {
        try await TemporaryFolder.run { folder in
            let command = try forward(["--tls-cert", "auto"] + arguments)
            try command.check()
            var relays = try command.relays()
            #expect(relays[0].tls?.loaded == nil)
            try command.security.issueCertificates(for: &relays, ["XDG_STATE_HOME": folder])
            #expect(relays[0].tls?.loaded != nil)
        }
    }

    @Test func keyLog_needsItsFile() throws {
        let words = ["forward", "1=tls:a:1", "--tls-insecure", "--tls-keylog"]
        let security = try forward(Array(words.dropFirst())).security
        for variables in [[:], ["SSLKEYLOGFILE": ""]] {
            let error = try #require(throws: UsageError.self) { try security.checkKeyLog(variables, in: words) }
            #expect(
                error.message
                    == "--tls-keylog writes to the file in SSLKEYLOGFILE; run: SSLKEYLOGFILE=keys.log tapline forward "
                    + "1=tls:a:1 --tls-insecure --tls-keylog")
        }
        try security.checkKeyLog(["SSLKEYLOGFILE": "keys.log"], in: words)
    }

    @Test func serverName_isTheOneThatIsCheckedAndSent() throws {
        let command = try forward(["1=tls:10.0.0.1:443", "2:b:2", "--tls-insecure", "--tls-server-name", "API.example"])
        #expect(try command.relays().map(\.upstreamTLS?.serverName) == ["api.example", nil])
    }

    /// The relays of one command have one authority, which later ones find.
    @Test func authority_isCreatedOnce_andWatchedForItsEnd() async throws {
        try await TemporaryFolder.run { folder in
            let command = try forward(["tls:1=a:1", "2:b:2", "tls:3=c:3", "--tls-cert", "auto"])
            let path = folder + "/tapline/ca/ca.pem"
            for isNew in [true, false] {
                var relays = try command.relays()
                try command.security.issueCertificates(for: &relays, ["XDG_STATE_HOME": folder])
                let authority = TLSSettings.Authority(path: path, isNew: isNew)
                #expect(relays.map { $0.tls?.authority } == [authority, nil, authority])
                #expect(Configuration(relays: relays).authority == authority)
                #expect(relays[0].expiries.map(\.file) == [path])
                #expect(relays[0].expiries.map(\.kind) == [.authority])
            }
        }
    }

    @Test func authorityThatCannotBeUsed_isAnErrorOfTheConfiguration() async throws {
        try await TemporaryFolder.run { folder in
            let command = try forward(["tls:1=a:1", "--tls-cert", "auto"])
            var relays = try command.relays()
            let without = try #require(throws: CommandFailure.self) {
                try command.security.issueCertificates(for: &relays, [:])
            }
            #expect(without.status == .configuration)
            #expect(without.message.hasPrefix("tapline: --tls-cert auto: no folder for the local CA"))
            try command.security.issueCertificates(for: &relays, ["XDG_STATE_HOME": folder])
            let key = folder + "/tapline/ca/ca.key"
            chmod(key, 0o644)
            let exposed = try #require(throws: CommandFailure.self) {
                try command.security.issueCertificates(for: &relays, ["XDG_STATE_HOME": folder])
            }
            #expect(exposed.status == .configuration)
            #expect(exposed.message.contains("`\(key)` can be read by other users (mode 0644)"))
            let system = try #require(throws: CommandFailure.self) {
                try command.security.issueCertificates(for: &relays, ["XDG_STATE_HOME": "/proc/none"])
            }
            #expect(system.status == .system)
        }
    }

    // MARK: tapline ca

    @Test func text_namesTheFileInEveryCommand() async throws {
        try await TemporaryFolder.run { folder in
            let place = try LocalAuthorityFolder(["XDG_STATE_HOME": folder + "/it's here"])
            let path = place.certificatePath
            let before = TrustText.text(of: nil, at: path)
            #expect(before.hasPrefix("There is no local CA yet."))
            #expect(before.contains("\n  certificate  \(path)\n"))
            let (authority, _) = try place.loadOrCreate(owner: "user@host")
            let text = TrustText.text(of: authority, at: path)
            #expect(text.contains("\n  subject      CN=Tapline local CA (user@host),O=Tapline\n"))
            #expect(text.contains("\n  SHA-256      \(authority.fingerprint)\n"))
            let quoted = "'\(folder)/it'\\''s here/tapline/ca/ca.pem'"
            for entry in TrustText.entries(path) {
                #expect(entry.commands.contains { $0.contains(quoted) }, "\(entry)")
                for each in [before, text] {
                    #expect(each.contains("\n\n\(entry.title)\n  \(entry.commands.joined(separator: "\n  "))"))
                }
            }
        }
    }

    @Test func command_isCa() throws {
        #expect(try #require(Tapline.parsed(["ca", "--path"]) as? AuthorityCommand).path)
        #expect(CommandWords.commands.contains("ca"))
    }
}
