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
        guard settings.count == before else { return }
        // The same files with other content: renewed.
        add([RelayKey.tls, TLSKey.certificates], old.loaded, new.loaded) { _ in Self.text(of: new.certificates) }
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
        guard settings.count == before else { return }
        let text = new.certificate?.chain ?? new.authorities.text
        add(key(new.certificate == nil ? .authorities : .certificate), old.loaded, new.loaded) { _ in text }
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
