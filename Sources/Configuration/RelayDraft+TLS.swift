import Sockets
import TLS
import Text

extension RelayDraft {
    /// Reads `tls`. `scope` distinguishes relays, so that a session ticket of one is worth nothing at another.
    static func tls(_ field: Field, scope: String) -> TLSSettings? {
        guard let fields = field.fields(TLSKey.self) else { return nil }
        var files = TLSFiles(field.reading)
        let certificates = fields.required(.certificates, in: "`tls`").map { certificateNodes($0) } ?? []
        let read = certificates.compactMap { node -> (TLSSettings.Certificate, TLSCredential?, Field)? in
            let entry = Field(name: "certificates", node: node, keyMark: node.mark, reading: field.reading)
            return certificate(entry, &files).map { ($0.0, $0.1, entry) }
        }
        var settings = TLSSettings(certificates: read.map(\.0))
        settings.session = TLSSessionSettings(reading: fields)
        var clients: TLSServerContext.Clients?
        if let field = fields[.clients] {
            guard let (checked, loaded) = self.clients(field, &files) else { return nil }
            settings.clients = checked
            clients = loaded
            if loaded == nil { return settings }
        }
        let credentials = read.compactMap(\.1)
        guard !credentials.isEmpty, credentials.count == certificates.count else { return settings }
        do throws(TLSServerContext.CredentialFailure) {
            let context = try TLSServerContext(
                credentials: credentials, clients: clients, minimum: settings.session.minimum,
                applications: settings.session.applications, scope: scope)
            settings.loaded = LoadedTLS(
                context, files: files.loaded, expiries: files.placed(expiries(settings, credentials, clients?.trust)),
                remarks: files.remarks(
                    zip(settings.certificates, credentials).map { ($0.chain, $1) }, as: .server, trust: clients?.trust))
        } catch {
            let chain = settings.certificates[error.index].chain
            read[error.index].2.report("the certificate \(TLSAdvice.words(chain, error.error))")
        }
        return settings
    }

    /// Reads `upstream_tls`. `upstreams`: the relay's and those of its routes, as far as they are valid.
    static func upstreamTLS(_ field: Field, upstreams: [UpstreamAddress]) -> UpstreamTLSSettings? {
        guard !TLSAdvice.hasNoMapping(field), let fields = field.fields(UpstreamTLSKey.self) else { return nil }
        var files = TLSFiles(field.reading)
        var settings = UpstreamTLSSettings()
        settings.verify = fields[.verify]?.choice(TLSClientContext.Verification.self) ?? settings.verify
        settings.serverName = fields[.serverName]?.value { text throws(ValueError) in
            let name = try ServerName(parsing: text)
            guard case .exactly(let name) = name else { throw ValueError("\(quoted(text)) is no name of one server") }
            return name
        }
        let sockets = upstreams.filter { if case .address(let address) = $0 { address.isUnix } else { false } }
        if fields[.serverName] == nil, settings.verify == .full, let socket = sockets.first {
            field.report(
                "an upstream on a Unix socket (\(socket)) has no name that its certificate could have; write "
                    + "`server_name`, or `verify: chain`")
        }
        settings.pins = fields[.pins]?.elements().compactMap { $0.value(PinText.parse) } ?? []
        TLSAdvice.checkPins(fields[.pins], settings, field)
        settings.session = TLSSessionSettings(reading: fields)
        var credential: TLSCredential?
        if let field = fields[.certificate] {
            guard let (files, loaded) = certificate(field, &files) else { return nil }
            settings.certificate = files
            credential = loaded
            if loaded == nil { return settings }
        }
        var trust: TLSTrust?
        if settings.verify == .full || settings.verify == .chain {
            guard let (authorities, loaded) = authorities(fields[.authorities], field, &files) else { return nil }
            settings.authorities = authorities
            guard let loaded else { return settings }
            trust = loaded
        } else if let field = fields[.authorities] {
            field.report("nothing is compared with it: `verify` is `\(settings.verify.rawValue)`")
        }
        do throws(TLSCredentialError) {
            let context = try TLSClientContext(
                verify: settings.verify, trust: trust, pins: settings.pins, credential: credential,
                minimum: settings.session.minimum, applications: settings.session.applications)
            settings.loaded = LoadedTLS(
                context, files: files.loaded, expiries: files.placed(expiries(settings, credential, trust)),
                remarks: files.remarks(
                    [(settings.certificate?.chain, credential)].compactMap { chain, credential in
                        chain.flatMap { chain in credential.map { (chain, $0) } }
                    }, as: .client))
        } catch {
            let chain = settings.certificate?.chain ?? ""
            (fields[.certificate] ?? field).report("the certificate \(TLSAdvice.words(chain, error))")
        }
        return settings
    }

    /// Reports settings that have no effect on a relay without TLS.
    func reportMissingTLS(_ fields: Fields<RelayKey>) {
        guard fields[.tls] == nil, fields[.upstreamTLS] == nil else { return }
        if writesKeyLog {
            fields[.keyLog]?.report("there are no keys: write `tls` or `upstream_tls`, or remove this")
        }
        if record?.includesEncrypted == true { fields[.record]?.report(RecordSettings.nothingEncrypted) }
    }

    private static func expiries(
        _ settings: TLSSettings, _ credentials: [TLSCredential], _ trust: TLSTrust?
    ) -> [TLSExpiry] {
        var expiries = zip(settings.certificates, credentials).map { certificate, credential in
            TLSExpiry(file: certificate.chain, kind: .certificate, seconds: credential.expiry)
        }
        guard let clients = settings.clients, let trust else { return expiries }
        expiries.append(TLSExpiry(file: clients.authorities, kind: .authority, seconds: trust.expiry))
        if let file = clients.revoked, let seconds = trust.revocationExpiry {
            expiries.append(TLSExpiry(file: file, kind: .revocationList, seconds: seconds))
        }
        return expiries
    }

    private static func expiries(
        _ settings: UpstreamTLSSettings, _ credential: TLSCredential?, _ trust: TLSTrust?
    ) -> [TLSExpiry] {
        var expiries: [TLSExpiry] = []
        if let certificate = settings.certificate, let credential {
            expiries.append(TLSExpiry(file: certificate.chain, kind: .certificate, seconds: credential.expiry))
        }
        if case .file(let file) = settings.authorities, let trust {
            expiries.append(TLSExpiry(file: file, kind: .authority, seconds: trust.expiry))
        }
        return expiries
    }

    // MARK: Parts

    private static func certificateNodes(_ field: Field) -> [YAMLNode] {
        switch field.node.content {
        case .refused: return []
        case .mapping: return [field.node]
        case .sequence(let nodes) where !nodes.isEmpty: return nodes
        case .scalar("auto", _):
            field.report(
                "`auto` is only for `tapline forward --tls-cert auto`; write files, such as { chain: server.pem, key: "
                    + "server.key }")
            return []
        case .sequence, .scalar:
            field.report("at least one is needed, such as { chain: server.pem, key: server.key }")
            return []
        }
    }

    /// A certificate with its key; the second part is nil if the files were not read, or could not be.
    private static func certificate(
        _ field: Field, _ files: inout TLSFiles
    ) -> (TLSSettings.Certificate, TLSCredential?)? {
        guard let fields = field.fields(CertificateKey.self) else { return nil }
        let chainField = fields.required(.chain, in: "a certificate")
        let keyField = fields.required(.key, in: "a certificate")
        guard let chainField, let keyField, let chain = chainField.path(), let key = keyField.path() else { return nil }
        let settings = TLSSettings.Certificate(chain: chain, key: key)
        guard let chainText = files.read(chain, chainField), let keyText = files.read(key, keyField) else {
            return (settings, nil)
        }
        do throws(TLSCredentialError) {
            let credential = try TLSCredential(chain: chainText, key: keyText)
            try credential.check(at: WallClock.now / 1_000_000_000)
            return (settings, credential)
        } catch {
            let isOfKey = error.isOfKey
            (isOfKey ? keyField : chainField).report(TLSAdvice.words(isOfKey ? key : chain, error))
            return (settings, nil)
        }
    }

    private static func clients(
        _ field: Field, _ files: inout TLSFiles
    ) -> (TLSSettings.Clients, TLSServerContext.Clients?)? {
        guard let fields = field.fields(TLSClientsKey.self) else { return nil }
        guard let authoritiesField = fields.required(.authorities, in: "`clients`"),
            let path = authoritiesField.path()
        else { return nil }
        var settings = TLSSettings.Clients(authorities: path)
        settings.isRequired = fields[.require]?.choice(YesOrNo.self).map { $0 == .yes } ?? settings.isRequired
        if let allow = fields[.allow] { settings.allowed = allowList(allow) }
        let revokedField = fields[.revoked]
        settings.revoked = revokedField?.path()
        guard let text = files.read(path, authoritiesField) else { return (settings, nil) }
        var revoked: [UInt8]?
        if let revokedField, let path = settings.revoked {
            guard let text = files.read(path, revokedField) else { return (settings, nil) }
            revoked = text
        }
        do throws(TLSCredentialError) {
            let trust = try TLSTrust(authorities: text, revoked: revoked)
            return (settings, .init(trust: trust, isRequired: settings.isRequired, allowed: settings.allowed))
        } catch {
            if error.isOfRevocationList, let revokedField, let list = settings.revoked {
                revokedField.report(TLSAdvice.words(list, error))
            } else {
                authoritiesField.report(TLSAdvice.authority(path, error, isOfClients: true))
            }
            return (settings, nil)
        }
    }

    private static func allowList(_ field: Field) -> TLSAllowList {
        guard let fields = field.fields(TLSAllowKey.self) else { return TLSAllowList() }
        func texts(_ key: TLSAllowKey) -> [String] { fields[key]?.elements().compactMap { $0.text() } ?? [] }
        let list = TLSAllowList(
            dns: fields[.dns]?.elements().compactMap { $0.value(TLSAdvice.dnsPattern) } ?? [], uri: texts(.uri),
            commonNames: texts(.commonNames),
            pins: fields[.pins]?.elements().compactMap { $0.value(PinText.parse) } ?? [])
        if list.isEmpty {
            field.report("no client would be allowed by a name; write `dns`, `uri`, `cn` or `spki`, or take it out")
        }
        return list
    }

    private static func authorities(
        _ field: Field?, _ parent: Field, _ files: inout TLSFiles
    ) -> (UpstreamTLSSettings.Authorities, TLSTrust?)? {
        let setting: UpstreamTLSSettings.Authorities
        if let field {
            guard let text = field.text() else { return nil }
            if text == "system" {
                setting = .system
            } else {
                guard let path = field.path() else { return nil }
                setting = .file(path)
            }
        } else {
            setting = .system
        }
        let path: String
        switch setting {
        case .file(let file): path = file
        case .system:
            guard let file = TLSTrust.systemFile else {
                (field ?? parent).report(
                    "this system has no bundle of authorities; install ca-certificates, or write the path of a PEM file as "
                        + "`ca`")
                return (setting, nil)
            }
            path = file
        }
        guard let text = files.read(path, field ?? parent) else { return (setting, nil) }
        do throws(TLSCredentialError) {
            return (setting, try TLSTrust(authorities: text))
        } catch {
            (field ?? parent).report(TLSAdvice.authority(path, error, isOfClients: false))
            return (setting, nil)
        }
    }
}

/// `true` or `false`.
enum YesOrNo: String, CaseIterable {
    case yes = "true"
    case no = "false"
}

/// A pin: `sha256/` and the Base64 of 32 bytes.
enum PinText {
    static func parse(_ text: String) throws(ValueError) -> String {
        let digits = text.dropFirst("sha256/".count).utf8
        let isBase64 = digits.dropLast().allSatisfy { byte in
            let character = Character(Unicode.Scalar(byte))
            return byte < 0x80 && (character.isLetter || character.isNumber || character == "+" || character == "/")
        }
        guard text.hasPrefix("sha256/"), digits.count == 44, digits.last == UInt8(ascii: "="), isBase64 else {
            throw ValueError(
                "\(quoted(text)) is no pin; write sha256/ and the Base64 of the public key's SHA-256 (44 characters)")
        }
        return text
    }
}
