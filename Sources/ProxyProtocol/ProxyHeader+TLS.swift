extension ProxyHeader {
    /// What a version 2 header says about the TLS session that its sender has with the client (sections 2.2.1, 2.2.2 and
    /// 2.2.6).
    public struct Session: Hashable, Sendable {
        /// The version as text, such as `TLSv1.3`.
        public var version: String
        /// The cipher suite.
        public var cipher: String
        /// The client has presented a certificate, which was verified.
        public var hasCertificate: Bool
        /// The common name in that certificate; nil without one.
        public var commonName: String?
        /// The server name that the client requested; nil without one.
        public var serverName: String?
        /// An earlier session was resumed: a certificate was presented in that one.
        public var isResumed = false
        /// The application protocol that was chosen; nil without one.
        public var application: String?

        /// A session.
        public init(version: String, cipher: String, hasCertificate: Bool = false) {
            self.version = version
            self.cipher = cipher
            self.hasCertificate = hasCertificate
        }

        /// The header's extensions.
        public var extensions: [Extension] {
            func text(_ type: UInt8, _ text: String?) -> [Extension] {
                text.map { [Extension(type: type, value: Array($0.utf8.prefix(ProxyHeader.longestAuthority)))] } ?? []
            }
            // Bit 0: TLS; bits 1 and 2: a certificate on this connection, and in this session.
            var value: [UInt8] = [hasCertificate ? isResumed ? 0x05 : 0x07 : 0x01]
            // Zero: a certificate was presented and verified.
            value += hasCertificate ? [0, 0, 0, 0] : [0, 0, 0, 1]
            let parts =
                text(ExtensionType.tlsVersion, version) + text(ExtensionType.tlsCommonName, commonName)
                + text(ExtensionType.tlsCipher, cipher)
            for part in parts {
                value += [part.type, UInt8(part.value.count >> 8), UInt8(part.value.count & 0xFF)] + part.value
            }
            return text(ExtensionType.application, application) + text(ExtensionType.authority, serverName)
                + [Extension(type: ExtensionType.tls, value: value)]
        }
    }

    /// Replaces what another proxy has said about a TLS session that ends at the sender.
    public mutating func set(_ session: Session) {
        let own = session.extensions
        extensions.removeAll { old in own.contains { $0.type == old.type } }
        extensions += own
    }
}
