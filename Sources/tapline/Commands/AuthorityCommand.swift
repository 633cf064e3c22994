import ArgumentParser
import TLS
import Terminal
import Text

/// `tapline ca`: the local certificate authority, and how to trust it.
struct AuthorityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ca",
        abstract: "Print how to trust the local CA of forward --tls-cert auto.",
        discussion: """
            The local certificate authority issues the certificates of forward --tls-cert auto, which creates it. This \
            command changes nothing: it prints the commands with which curl, the system's store, browsers, Node.js, \
            Python and Java trust the authority.

            The authority is kept in $\(LocalAuthorityFolder.variable)/tapline/ca (~/.local/state/tapline/ca): ca.pem \
            is its certificate, and ca.key its key.

              tapline ca
              curl --cacert "$(tapline ca --path)" https://localhost:8443/
            """)

    @Flag(help: "Print only the path of the authority's certificate.")
    var path = false

    private var text: String {
        get throws {
            do throws(LocalAuthorityError) {
                let folder = try LocalAuthorityFolder(ProcessEnvironment.all)
                if path { return folder.certificatePath }
                return TrustText.text(of: try folder.load(), at: folder.certificatePath)
            } catch {
                throw CommandFailure(authority: error)
            }
        }
    }

    func run() throws {
        try writeToStandardOutput(text + "\n")
    }
}

/// The text of `tapline ca`. Pure.
enum TrustText {
    /// A program, and the commands with which it trusts the authority.
    struct Entry: Hashable {
        let title: String
        let commands: [String]
    }

    /// The whole text, without the last newline. `authority`: nil if there is none yet.
    static func text(of authority: LocalAuthority?, at path: String) -> String {
        var lines: [String] = []
        if let authority {
            lines += [
                "The local CA of tapline forward --tls-cert auto", "",
                "  certificate  \(path.harmless)", "  subject      \(authority.certificate.subject)",
                "  valid until  \(TLSCertificate.date(authority.certificate.notAfter))",
                "  SHA-256      \(authority.fingerprint)",
            ]
        } else {
            lines += [
                "There is no local CA yet. The first tapline forward --tls-cert auto creates it", "",
                "  certificate  \(path.harmless)",
            ]
        }
        lines += [
            "", "Keep ca.key, in the same folder, secret: with it, anyone could pretend to be any",
            "server to programs that trust the CA.",
        ]
        for entry in entries(path) { lines += ["", entry.title] + entry.commands.map { "  \($0)" } }
        return lines.joined(separator: "\n")
    }

    /// The commands for a certificate at a path.
    static func entries(_ path: String) -> [Entry] {
        let file = ShellText.word(path)
        return [
            Entry(title: "curl", commands: ["curl --cacert \(file) https://localhost:8443/"]),
            Entry(
                title: "Debian and Ubuntu",
                commands: [
                    "sudo cp \(file) /usr/local/share/ca-certificates/tapline.crt", "sudo update-ca-certificates",
                ]),
            Entry(
                title: "Fedora and RHEL",
                commands: ["sudo cp \(file) /etc/pki/ca-trust/source/anchors/tapline.pem", "sudo update-ca-trust"]),
            Entry(title: "Arch Linux", commands: ["sudo trust anchor --store \(file)"]),
            Entry(
                title: "macOS",
                commands: [
                    "sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain \(file)"
                ]),
            Entry(
                title: "Chromium and Chrome on Linux (certutil is in libnss3-tools, nss-tools or nss)",
                // Chromium uses the older place where that exists. A database in the one that it does not use has no
                // effect, and one in the older place would hide those of the newer.
                commands: [
                    "db=$HOME/.pki/nssdb new=${XDG_DATA_HOME:-$HOME/.local/share}/pki/nssdb",
                    "if [ -d \"$new\" ] && [ ! -d \"$db\" ]; then db=$new; fi",
                    "mkdir -p \"$db\" && certutil -d \"sql:$db\" -A -n tapline -t C,, -i \(file)",
                ]),
            Entry(
                title: "Firefox (PROFILE is the profile folder in about:support)",
                commands: ["certutil -d sql:PROFILE -A -n tapline -t C,, -i \(file)"]),
            Entry(title: "Node.js", commands: ["export NODE_EXTRA_CA_CERTS=\(file)"]),
            Entry(
                title: "Python (in place of the system's authorities)",
                commands: ["export SSL_CERT_FILE=\(file) REQUESTS_CA_BUNDLE=\(file)"]),
            Entry(
                title: "Java (the JDK's store)",
                commands: [
                    "keytool -importcert -cacerts -storepass changeit -noprompt -alias tapline -file \(file)"
                ]),
        ]
    }
}
