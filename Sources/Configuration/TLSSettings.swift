public import TLS

/// `tls:`: clients speak TLS to the relay.
public struct TLSSettings: Hashable, Sendable {
    /// An entry of `certificates`: two PEM files, as absolute paths.
    public struct Certificate: Hashable, Sendable {
        /// `chain`: the certificate and its intermediate ones.
        public var chain: String
        /// `key`: the private key.
        public var key: String

        /// A pair of files.
        public init(chain: String, key: String) {
            self.chain = chain
            self.key = key
        }
    }

    /// The local certificate authority of this user.
    public struct Authority: Hashable, Sendable {
        /// Its certificate, an absolute path.
        public var path: String
        /// It did not exist before this process.
        public var isNew: Bool

        /// An authority.
        public init(path: String, isNew: Bool) {
            self.path = path
            self.isNew = isNew
        }
    }

    /// `clients`: which clients may connect.
    public struct Clients: Hashable, Sendable {
        /// `ca`: a PEM file with the authorities of their certificates.
        public var authorities: String
        /// `crl`: a PEM file with revocation lists; nil without one.
        public var revoked: String?
        /// `require`: a client without a certificate is refused.
        public var isRequired: Bool
        /// `allow`.
        public var allowed: TLSAllowList

        /// A check of clients.
        public init(
            authorities: String, revoked: String? = nil, isRequired: Bool = true, allowed: TLSAllowList = .init()
        ) {
            self.authorities = authorities
            self.revoked = revoked
            self.isRequired = isRequired
            self.allowed = allowed
        }
    }

    /// `certificates`: at least one. The first one is for clients without a server name, or with an unknown one. Empty
    /// with an authority.
    public var certificates: [Certificate]
    /// Issues a certificate for each server name (`forward --tls-cert auto`); nil: `certificates` are used.
    public var authority: Authority?
    /// `clients`; nil: no client certificate is asked for.
    public var clients: Clients?
    /// What it shares with the other side.
    public var session: TLSSessionSettings
    /// What the files contained; nil if they were not read.
    public var loaded: LoadedTLS<TLSServerContext>?

    /// Settings with these values.
    public init(
        certificates: [Certificate], clients: Clients? = nil, session: TLSSessionSettings = TLSSessionSettings(),
        loaded: LoadedTLS<TLSServerContext>? = nil
    ) {
        self.certificates = certificates
        self.clients = clients
        self.session = session
        self.loaded = loaded
    }

    /// Every file that it reads.
    var files: [String] {
        certificates.flatMap { [$0.chain, $0.key] } + [clients?.authorities, clients?.revoked].compactMap(\.self)
    }
}

/// `upstream_tls:`: the relay speaks TLS to its upstream.
public struct UpstreamTLSSettings: Hashable, Sendable {
    /// `ca`: where the authorities of the upstream's certificate are.
    public enum Authorities: Hashable, Sendable {
        /// The system's.
        case system
        /// A PEM file, as an absolute path.
        case file(String)

        /// The file; nil if the system has none.
        var path: String? {
            switch self {
            case .system: TLSTrust.systemFile
            case .file(let path): path
            }
        }
    }

    /// `ca`.
    public var authorities: Authorities
    /// `server_name`; nil: the upstream's name or address.
    public var serverName: String?
    /// `certificate`: the relay's own; nil without one.
    public var certificate: TLSSettings.Certificate?
    /// `verify`.
    public var verify: TLSClientContext.Verification
    /// `pins`: public keys, of which the upstream has one; empty: any.
    public var pins: [String]
    /// What it shares with the other side.
    public var session: TLSSessionSettings
    /// What the files contained; nil if they were not read.
    public var loaded: LoadedTLS<TLSClientContext>?

    /// Settings with these values.
    public init(
        authorities: Authorities = .system, serverName: String? = nil, certificate: TLSSettings.Certificate? = nil,
        verify: TLSClientContext.Verification = .full, pins: [String] = [],
        session: TLSSessionSettings = TLSSessionSettings(), loaded: LoadedTLS<TLSClientContext>? = nil
    ) {
        self.authorities = authorities
        self.serverName = serverName
        self.certificate = certificate
        self.verify = verify
        self.pins = pins
        self.session = session
        self.loaded = loaded
    }

    /// Whether the upstream's certificate is checked in any way.
    public var isVerified: Bool { verify != .off }

    /// Every file that it reads.
    var files: [String] {
        var files = certificate.map { [$0.chain, $0.key] } ?? []
        guard verify == .full || verify == .chain else { return files }
        switch authorities {
        case .file(let path): files.append(path)
        // Renewed by the distribution. `SSL_CERT_FILE` may be relative, and only absolute paths are watched.
        case .system: files += TLSTrust.systemFile.map { $0.hasPrefix("/") ? [$0] : [] } ?? []
        }
        return files
    }
}

/// `starttls`: a protocol that agrees on TLS in its own messages.
public enum StartTLSProtocol: String, CaseIterable, Hashable, Sendable {
    /// PostgreSQL: SSLRequest, GSSENCRequest, or TLS at once.
    case postgres
    /// SMTP: STARTTLS (RFC 3207).
    case smtp
    /// IMAP: STARTTLS (RFC 9051, section 6.2.1).
    case imap

    /// The protocols in ALPN by default. PostgreSQL requires its own where TLS begins at once.
    var applications: [String] { self == .postgres ? ["postgresql"] : [] }
}

/// `truncation`: what a FIN without close_notify is.
public enum TLSTruncation: String, CaseIterable, Hashable, Sendable {
    /// An end of stream, which is recorded as such.
    case pass
    /// A failure: the other side is reset.
    case reset
}

/// A file of certificates or keys, as it was read. A value; any thread.
public struct LoadedFile: Hashable, Sendable {
    /// The file, an absolute path.
    public let path: String
    /// The digest of its content.
    public let digest: [UInt8]

    /// A file with this content.
    public init(path: String, digest: [UInt8]) {
        self.path = path
        self.digest = digest
    }
}

/// A context and the files that it was made from. Equal if the files were: a renewed certificate is a change of the
/// configuration.
public struct LoadedTLS<Context: Sendable>: Hashable, Sendable {
    /// The context.
    public let context: Context
    /// When the files that it was made from expire.
    public let expiries: [TLSExpiry]
    /// What peers may refuse in its certificates.
    public let remarks: [TLSRemark]
    /// The files that it was made from.
    public let files: [LoadedFile]

    /// A context that was made from files with this content.
    public init(
        _ context: Context, files: [LoadedFile] = [], expiries: [TLSExpiry] = [], remarks: [TLSRemark] = []
    ) {
        self.context = context
        self.expiries = expiries
        self.remarks = remarks
        self.files = files
    }

    /// Whether both were made from the same content.
    public static func == (left: Self, right: Self) -> Bool { left.files == right.files }

    /// Hashes the files.
    public func hash(into hasher: inout Hasher) { hasher.combine(files) }

    /// The digest of a file's content; nil if it is none of the files.
    func digest(of file: String) -> [UInt8]? { files.first { $0.path == file }?.digest }

    /// When a file expires, seconds since 1970 UTC; nil if it does not, or is not known to.
    func expiry(of file: String) -> Int64? { expiries.first { $0.file == file }?.seconds }
}

extension Configuration {
    /// The files of the certificates, keys and authorities of all relays.
    public var certificateFiles: [String] { relays.flatMap(\.secretFiles) }

    /// The local authority that issues certificates for relays; nil without one.
    public var authority: TLSSettings.Authority? { relays.lazy.compactMap { $0.tls?.authority }.first }
}

extension RelaySettings {
    /// The files of its certificates, keys and authorities.
    public var secretFiles: [String] { (tls?.files ?? []) + (upstreamTLS?.files ?? []) }
}
