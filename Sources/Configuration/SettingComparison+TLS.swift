internal import TLS
internal import Text

/// Compares `tls` and `upstream_tls`.
extension SettingComparison {
    mutating func addTLS(_ old: RelaySettings, _ new: RelaySettings) {
        if let old = old.tls, let new = new.tls {
            compare(old, new)
        } else {
            add([RelayKey.tls], old.tls, new.tls) { $0.map { Self.text(of: $0.certificates) } }
        }
        if let old = old.upstreamTLS, let new = new.upstreamTLS {
            compare(old, new)
        } else {
            add([RelayKey.upstreamTLS], old.upstreamTLS, new.upstreamTLS) { $0.map { "verify \($0.verify.rawValue)" } }
        }
    }

    /// Compares `tls_keylog`.
    mutating func addKeyLog(_ old: RelaySettings, _ new: RelaySettings) {
        add([RelayKey.keyLog], old.writesKeyLog, new.writesKeyLog) { "\($0)" }
    }

    private mutating func compare(_ old: TLSSettings, _ new: TLSSettings) {
        let before = settings.count
        add([RelayKey.tls, TLSKey.certificates], old.certificates, new.certificates, Self.text(of:))
        add([RelayKey.tls, TLSKey.clients], old.clients, new.clients) { $0.map { $0.text } }
        compare(old.session, new.session) { (key: TLSKey) in [RelayKey.tls, key] }
        let certificates: [any ConfigurationKey] = [RelayKey.tls, TLSKey.certificates]
        addContent(certificates, of: new.certificates.flatMap { [$0.chain, $0.key] }, old.loaded, new.loaded)
        let clients: [any ConfigurationKey] = [RelayKey.tls, TLSKey.clients]
        for (key, file) in [(TLSClientsKey.authorities, new.clients?.authorities), (.revoked, new.clients?.revoked)] {
            addContent(clients + [key], of: [file].compactMap(\.self), old.loaded, new.loaded)
        }
        guard settings.count == before, old.loaded != new.loaded else { return }
        addContent(certificates, Self.text(of: new.certificates), "content changed")
    }

    private mutating func compare(_ old: UpstreamTLSSettings, _ new: UpstreamTLSSettings) {
        let before = settings.count
        func key(_ key: UpstreamTLSKey) -> [any ConfigurationKey] { [RelayKey.upstreamTLS, key] }
        add(key(.authorities), old.authorities, new.authorities, \.text)
        add(key(.serverName), old.serverName, new.serverName) { $0 }
        add(key(.certificate), old.certificate, new.certificate) { $0?.chain }
        add(key(.verify), old.verify, new.verify, \.rawValue)
        add(key(.pins), old.pins, new.pins, Self.list)
        compare(old.session, new.session, key)
        if let certificate = new.certificate {
            addContent(key(.certificate), of: [certificate.chain, certificate.key], old.loaded, new.loaded)
        }
        if let file = new.authorities.path { addContent(key(.authorities), of: [file], old.loaded, new.loaded) }
        guard settings.count == before, old.loaded != new.loaded else { return }
        addContent(key(.authorities), new.authorities.text, "content changed")
    }

    private static func text(of certificates: [TLSSettings.Certificate]) -> String {
        certificates.map(\.chain).joined(separator: ", ")
    }
}

extension TLSSettings.Clients {
    /// The settings in the file's notation.
    fileprivate var text: String {
        let parts = ["ca \(authorities)", revoked.map { "crl \($0)" }, isRequired ? "require" : nil]
        return (parts.compactMap(\.self) + (allowed.isEmpty ? [] : ["allow \(allowed)"])).joined(separator: ", ")
    }
}

extension UpstreamTLSSettings.Authorities {
    /// The file's notation, with an absolute path.
    fileprivate var text: String {
        switch self {
        case .system: "system"
        case .file(let path): path
        }
    }
}
