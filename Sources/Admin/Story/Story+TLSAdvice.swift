internal import Relay
internal import Sockets

/// What to do about a TLS handshake that has failed.
extension Story {
    /// The advice where nothing better is known.
    static let shareVersion =
        "Check that both sides speak TLS on this port, and that they share a version and a cipher suite."

    /// One or two sentences.
    static func advice(
        _ remedy: SessionFacts.Remedy, _ record: ConnectionRecord, _ side: Side, _ settings: StorySettings
    ) -> String {
        switch remedy {
        case .trust(let issuer):
            let authority = issuer ?? "that certificate"
            guard side == .upstream else {
                return "No authority in \(settings.quoted(.clientAuthorities)) has issued it (issuer: \(authority))."
            }
            return "To trust \(authority), name its PEM file in \(settings.quoted(.authorities)). If the issuer is an "
                + "intermediate authority, the server may have to send its certificate, too."
        case .serverName(let name, let presented):
            let names = presented.map { "is for \($0)" } ?? "has no server names"
            return "The certificate \(names), and \(name) was checked. If that is the right server, set "
                + "\(settings.quoted(.serverName)) to a name in its certificate."
        case .trustLocalAuthority: return "The client does not trust the local CA: `tapline ca` prints how to trust it."
        case .completeChain(let chain, let issuer):
            let file = chain.map { path in path.split(separator: "/").last.map(String.init) ?? path }
            return "The client does not trust the issuer of \(file ?? "its certificate")"
                + (issuer.map { " (\($0))" } ?? "")
                + ", or an intermediate certificate is missing in "
                + (settings.origin == .file ? "`chain`." : "\(settings.quoted(.chain)).")
        case .clientMayDistrust:
            return "Some clients (Node.js) do this when they do not trust the certificate."
        case .presentCertificate: return "It wants a client certificate: \(settings.toSet(.ownCertificate))."
        case .giveClientCertificate:
            return "Give the client a certificate, or \(settings.toSet(.clientsRequired)) to false."
        case .application(let offered, let allowed): return applications(offered, allowed, side, settings)
        case .validName: return "Certificates are for names of letters, digits and hyphens, and for addresses."
        case .useHTTPS: return "This port speaks TLS: the client has to use https://."
        case .startTLS(let value): return beginning(value, record, side, settings)
        case .readLog: return "An alert has its reason in the log of the program that sent it."
        case .shareVersion: return shareVersion
        }
    }

    private static func applications(
        _ offered: String?, _ allowed: String?, _ side: Side, _ settings: StorySettings
    ) -> String {
        guard side == .client else {
            return (offered.map { "Tapline offered \($0.isEmpty ? "none" : $0)" } ?? "Tapline offered others")
                + ", and the upstream accepts none of them: \(settings.toSet(.upstreamApplications)) to what it speaks."
        }
        let known = [offered.map { "The client offered \($0)" }, allowed.map { "`alpn` allows \($0)" }]
            .compactMap(\.self)
        return known.joined(separator: "; ") + "."
    }

    /// TLS that begins with a command of the protocol.
    private static func beginning(
        _ value: String?, _ record: ConnectionRecord, _ side: Side, _ settings: StorySettings
    ) -> String {
        let setting: StorySettings.Setting = side == .client ? .startTLS : .upstreamStartTLS
        if let value = value ?? protocolName(ofPort: record.upstreamAddress?.port) {
            let name = names[value] ?? value
            return "\(name) begins TLS with a command: \(settings.toSet(setting)) to \(value)."
        }
        return "PostgreSQL, SMTP and IMAP begin TLS with a command: \(settings.toSet(setting))."
    }

    /// Why a side may send nothing in a handshake.
    static func silence(_ record: ConnectionRecord, _ side: Side, _ settings: StorySettings) -> String {
        guard side == .client else {
            return "A server that sends nothing may not speak TLS on this port, or it begins TLS with a command, as "
                + "PostgreSQL, SMTP and IMAP do: \(settings.toSet(.upstreamStartTLS))."
        }
        let port =
            protocolName(ofPort: record.listener.port)
            ?? record.upstream.split(separator: ":").last.flatMap {
                protocolName(ofPort: UInt16($0))
            }
        let value = port.flatMap { $0 == "postgres" ? nil : $0 }
        return
            "Mail clients, and others, wait for the server to speak first. For them, \(settings.toSet(.startTLS)) to "
            + "\(value ?? "smtp or imap"), so that TLS begins with a command."
    }

    private static let names = ["postgres": "PostgreSQL", "smtp": "SMTP", "imap": "IMAP"]

    /// The value of `starttls` for a well-known port.
    private static func protocolName(ofPort port: UInt16?) -> String? {
        switch port {
        case 5432: "postgres"
        case 25, 587, 2525: "smtp"
        case 143: "imap"
        default: nil
        }
    }
}

extension StorySettings {
    /// The setting's name as code.
    func quoted(_ setting: Setting) -> String { "`\(name(setting))`" }

    /// Advice to set a setting: "set `tls.starttls`", which takes a configuration where it has no option.
    func toSet(_ setting: Setting) -> String {
        guard origin == .commandLine, setting.option == nil else { return "set \(quoted(setting))" }
        return "use a configuration file (`tapline run`), and set `\(setting.rawValue)` there"
    }
}
