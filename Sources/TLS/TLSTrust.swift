internal import COpenSSL
internal import Glibc
internal import Text

/// The certificate authorities that a peer's certificate may come from, and what they have revoked. Immutable; any thread:
/// OpenSSL locks its stores, and nothing is added after `init`.
public final class TLSTrust: @unchecked Sendable {
    /// The SHA-256 of what it was made from, so that a changed file differs.
    public let digest: [UInt8]
    let store: OpaquePointer
    /// When the authorities can no longer be used, seconds since 1970 UTC: the first end of those that are valid now. An
    /// expired authority together with its successor is normal; if all have expired, it is the last end.
    public let expiry: Int64
    /// When the first revocation list must have a successor, seconds since 1970 UTC: after that, every certificate is
    /// refused. Nil without a list.
    public let revocationExpiry: Int64?
    /// The names of the authorities, which a server sends with its request for a certificate.
    let authorities: [OpaquePointer]

    /// The authorities in a PEM file, and its revocation lists; a revoked certificate is refused if there is any list.
    public init(authorities text: [UInt8], revoked lists: [UInt8]? = nil) throws(TLSCredentialError) {
        guard OpenSSL.isReady, let store = X509_STORE_new() else { throw .library }
        self.store = store
        let certificates: [OpaquePointer]
        do throws(TLSCredentialError) {
            certificates = try PEM.certificates(in: text)
            guard !certificates.isEmpty else { throw BinaryForm(of: text).map { .binary($0) } ?? .noCertificate }
        } catch {
            authorities = []
            digest = []
            expiry = 0
            revocationExpiry = nil
            throw error
        }
        authorities = certificates
        digest = (text + (lists ?? [])).withUnsafeBytes { Digest.sha256($0) }
        for certificate in certificates { X509_STORE_add_cert(store, certificate) }
        let ends = certificates.map(TLSCertificate.end).sorted()
        expiry = ends.first { $0 > WallClock.now / 1_000_000_000 } ?? ends.last ?? 0
        guard let lists else {
            revocationExpiry = nil
            if let error = Self.rootMissing(certificates) { throw error }
            return
        }
        let revoked: [OpaquePointer]
        do throws(TLSCredentialError) {
            revoked = try PEM.revocationLists(in: lists)
            guard !revoked.isEmpty else { throw .noRevocationList }
        } catch {
            revocationExpiry = nil
            throw error
        }
        // A list need not have a successor.
        revocationExpiry = revoked.compactMap { X509_CRL_get0_nextUpdate($0).map(TLSCertificate.seconds) }.min()
        let missing = Self.listsMissing(certificates, revoked)
        for list in revoked {
            X509_STORE_add_crl(store, list)
            X509_CRL_free(list)
        }
        X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL))
        if let error = Self.rootMissing(certificates) ?? missing { throw error }
    }

    /// Why no chain can end at one of the certificates; nil if one can. OpenSSL accepts only a self-issued certificate as
    /// the end, also one that may not issue others: it then trusts that one alone.
    private static func rootMissing(_ certificates: [OpaquePointer]) -> TLSCredentialError? {
        guard !certificates.contains(where: \.isSelfIssued) else { return nil }
        if let authority = certificates.first(where: { X509_check_ca($0) == 1 }) {
            let facts = TLSCertificate(authority)
            return .rootMissing(facts.title, issuer: facts.issuer)
        }
        return .authorityMissing(TLSCertificate(certificates[0]))
    }

    /// The authorities whose every certificate would be refused, because the file has no list of them. An authority that
    /// has issued another one of the file need not have one, nor one that has expired.
    private static func listsMissing(
        _ certificates: [OpaquePointer], _ lists: [OpaquePointer]
    ) -> TLSCredentialError? {
        func hasList(_ certificate: OpaquePointer) -> Bool {
            guard let key = X509_get0_pubkey(certificate) else { return true }
            let name = X509_get_subject_name(certificate)
            defer { ERR_clear_error() }
            return lists.contains { X509_NAME_cmp(X509_CRL_get_issuer($0), name) == 0 && X509_CRL_verify($0, key) == 1 }
        }
        let now = WallClock.now / 1_000_000_000
        let issuers = certificates.filter { certificate in
            X509_check_ca(certificate) != 0 && TLSCertificate.end(of: certificate) > now
                && !certificates.contains { $0 != certificate && TLSCredential.issued(certificate, $0) }
        }
        let missing = issuers.filter { !hasList($0) }.map { TLSCertificate($0).title }
        guard !missing.isEmpty else { return nil }
        let others = lists.map { TLSCertificate.text(X509_CRL_get_issuer($0)) }
        return .listsMissing(missing, others: others)
    }

    deinit {
        for certificate in authorities { X509_free(certificate) }
        X509_STORE_free(store)
    }

    /// The SHA-256 of bytes.
    public static func digest(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { Digest.sha256($0) } }

    /// The system's bundle of authorities: `SSL_CERT_FILE`, or the first of the places where distributions have it. The
    /// binary may run on another distribution than the one whose OpenSSL it contains.
    public static var systemFile: String? {
        if let file = getenv("SSL_CERT_FILE") { return String(cString: file) }
        return [
            "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
            "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
        ].first { access($0, R_OK) == 0 }
    }
}
