internal import COpenSSL
internal import Text

/// A certificate authority for one user of one machine, which issues certificates for server names. Immutable; any
/// thread.
///
/// All certificates that one process issues have the same key, which is only in its memory.
public final class LocalAuthority: Sendable {
    private static let day: Int64 = 86_400
    /// How long a new authority is valid, seconds.
    static let lifetime = 3652 * day
    /// How long an issued certificate is valid, from a day before it is issued, seconds. Browsers refuse more than 398
    /// days.
    static let leafLifetime = 90 * day
    /// An issued certificate is replaced this long before it expires, seconds.
    static let renewal = 30 * day
    /// The longest common name (RFC 5280, appendix A).
    private static let longestName = 64

    private let credential: TLSCredential
    /// The key of every certificate that it issues.
    let leafKey: Key

    /// A private key, which nothing changes: threads may share it.
    final class Key: @unchecked Sendable {
        let pointer: OpaquePointer

        /// Makes a P-256 key; nil if the library has failed.
        init?() {
            guard OpenSSL.isReady, let key = tapline_make_ecdsa_key() else { return nil }
            pointer = key
        }

        deinit {
            EVP_PKEY_free(pointer)
        }
    }

    /// Reads its certificate and its key, both PEM, and issues one certificate as a test. `now`: seconds since 1970
    /// UTC.
    init(certificate: [UInt8], key: [UInt8], at now: Int64) throws(TLSCredentialError) {
        credential = try TLSCredential(chain: certificate, key: key)
        try credential.check(at: now)
        guard X509_check_ca(credential.leaf) == 1 else { throw .notAnAuthority }
        guard let leafKey = Key() else { throw .library }
        self.leafKey = leafKey
        guard issue(Subject(alternativeNames: "DNS:localhost", commonName: "localhost"), at: now) != nil else {
            throw .refused(OpenSSL.takeError().map { "\($0)" } ?? "no reason given")
        }
    }

    /// Its certificate.
    public var certificate: TLSCertificate { credential.certificate }

    /// The SHA-256 of its certificate, as browsers show it: `AB:CD:…`.
    public var fingerprint: String {
        var bytes = [UInt8](repeating: 0, count: 32)
        guard X509_digest(credential.leaf, EVP_sha256(), &bytes, nil) == 1 else { return "" }
        return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined(separator: ":")
    }

    /// A new authority of an owner, such as `user@host`: its certificate and its key, both PEM.
    static func make(owner: String, at now: Int64) throws(TLSCredentialError) -> (certificate: [UInt8], key: [UInt8]) {
        guard let key = Key() else { throw .library }
        let frame = "Tapline local CA ()"
        let owner = OpenSSL.plain(owner.utf8).prefix(longestName - frame.count)
        let draft = CertificateDraft(
            subject: [("O", "Tapline"), ("CN", "Tapline local CA (\(owner))")],
            lifetime: now - day...now + lifetime,
            extensions: [
                (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"), (NID_key_usage, "critical,keyCertSign,cRLSign"),
                (NID_subject_key_identifier, "hash"),
            ])
        guard let certificate = draft.sign(for: key.pointer) else {
            throw .refused(OpenSSL.takeError().map { "\($0)" } ?? "no reason given")
        }
        defer { X509_free(certificate) }
        return (
            try PEM.text { PEM_write_bio_X509($0, certificate) },
            try PEM.text { PEM_write_bio_PrivateKey($0, key.pointer, nil, nil, 0, nil, nil) }
        )
    }

    /// The names of a certificate for a server.
    struct Subject: Hashable {
        /// In OpenSSL's notation: `DNS:a.example,IP:127.0.0.1`.
        let alternativeNames: String
        /// For people; left out if it is too long.
        let commonName: String
    }

    /// Issues a certificate; nil if the library has failed. About 0.1 ms.
    func issue(_ subject: Subject, at now: Int64) -> IssuedCertificate? {
        var name = [(field: "O", text: "Tapline")]
        if subject.commonName.utf8.count <= Self.longestName { name.append(("CN", subject.commonName)) }
        let lifetime = now - Self.day...now - Self.day + Self.leafLifetime
        var draft = CertificateDraft(
            subject: name, lifetime: lifetime,
            extensions: [
                (NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,digitalSignature"),
                (NID_ext_key_usage, "serverAuth"), (NID_subject_alt_name, subject.alternativeNames),
                (NID_subject_key_identifier, "hash"),
            ])
        // The user may have put an authority of another program there, without an identifier.
        if X509_get0_subject_key_id(credential.leaf) != nil {
            draft.extensions.append((NID_authority_key_identifier, "keyid"))
        }
        let certificate = draft.sign(for: leafKey.pointer, by: (credential.leaf, credential.key))
        return certificate.map { IssuedCertificate($0, lifetime: lifetime) }
    }
}

/// A certificate that a local authority has issued. Immutable: OpenSSL counts its references, so threads may share it.
final class IssuedCertificate: @unchecked Sendable {
    let pointer: OpaquePointer
    private let lifetime: ClosedRange<Int64>

    /// Takes over a certificate.
    fileprivate init(_ certificate: OpaquePointer, lifetime: ClosedRange<Int64>) {
        pointer = certificate
        self.lifetime = lifetime
    }

    deinit {
        X509_free(pointer)
    }

    /// Whether it can be used at a time, also by a client that has just received it.
    func isFresh(at now: Int64) -> Bool {
        lifetime.lowerBound <= now && now < lifetime.upperBound - LocalAuthority.renewal
    }
}
